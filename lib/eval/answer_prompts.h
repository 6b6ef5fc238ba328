// Runs prompts through the model: what the answering benchmarks share.
#pragma once
#include <functional>

#include "data/batch.h"
#include "eval/batch_store.h"
#include "eval/benchmark.h"

namespace qslaw {

/// Loads prompts 0..count-1 through `load` and generates in batches, with progress. While a batch is answered
/// the next one, and no more, is loaded on another thread: `load` is called from one thread at a time, beside
/// the model's and the tokenizer's work here. A UserError of `load` ends the run when its batch's turn comes
/// or, with BadSamplePolicy::skip, is logged then and leaves the prompt out. Batches that the context's
/// unfinished run has done are not done again. Throws Stopped when a stop was asked for.
Answers answer_prompts(size_t count, const std::function<LoadedSample(size_t)>& load,
                       const BenchmarkOptions& options, const EvalContext& context);

}  // namespace qslaw
