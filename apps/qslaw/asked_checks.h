// What the looks at the data of any stage have in common.
#pragma once
#include "recipe/estimate.h"
#include "sample_checks.h"
#include "stages.h"

namespace qslaw {

/// Whether --all-samples or --check-share asks for more than check_samples looks at.
bool asks_for_more(const StageRun& run);

/// Looks at as many of `count` samples as these flags ask for, before check_samples does, and sets
/// options.log_bad for that: what was looked at here has its bad ones named already, and a run, which is no
/// dry run, names those that it skips when it comes to them.
void look_if_asked(const StageRun& run, int64_t count, const SampleSource& sample, CheckOptions& options);

/// Counts samples and moves the means per sample.
void add_samples(DataShape& shape, int64_t count, double mean_tokens, double mean_learned);

}  // namespace qslaw
