// What all looks at a stage's data share.
#pragma once
#include "recipe/estimate.h"
#include "sample_checks.h"
#include "stages.h"

namespace qslaw {

/// Whether --all-samples or --check-share asks for more than check_samples looks at.
bool asks_for_more(const StageRun& run);

/// Looks at so many of `count` samples, if any. In front of check_samples, which then has nothing new to say
/// of bad ones and is told so in options.log_bad; of a run neither does, which names those that it skips when
/// it comes to them.
void look_if_asked(const StageRun& run, int64_t count, const SampleSource& sample, CheckOptions& options);

/// Counts samples and moves the means per sample.
void add_samples(DataShape& shape, int64_t count, double mean_tokens, double mean_learned);

}  // namespace qslaw
