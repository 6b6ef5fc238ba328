// Runs prompts through the model: what the answering benchmarks share.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/batch.h"
#include "eval/benchmark.h"

namespace qslaw {

/// Answers by prompt number, without surrounding white space; prompts left out as bad samples are absent.
using Answers = std::map<size_t, std::string>;

/// Loads prompts 0..count-1 through `load` and generates in batches, with progress. A UserError of `load`
/// ends the run or, with BadSamplePolicy::skip, is logged and leaves the prompt out. Throws Stopped when a
/// stop was asked for.
Answers answer_prompts(size_t count, const std::function<LoadedSample(size_t)>& load,
                       const BenchmarkOptions& options, const EvalContext& context);

}  // namespace qslaw
