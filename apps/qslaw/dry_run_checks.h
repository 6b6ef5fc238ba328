// What --dry-run, and a command before its first stage, find out about a stage's data: samples encoded,
// headers of their pictures read, or with --all-samples all of them decoded.
#pragma once
#include "model/config.h"
#include "recipe/estimate.h"
#include "stages.h"

namespace qslaw {

/// Opens every data set of the stage (of export, what lies beside the weights) and checks up to 500 of its
/// samples, evenly spread: of training the draws of each phase, of calibration and held-out sets the samples
/// themselves; of benchmarks up to 10,000, of ScienceQA's all problems. With --all-samples every sample is
/// looked at that the stage will read: of training and calibration what is drawn, once each. Bad ones are
/// logged; UserError naming the first unless the set's on_bad_sample is skip and some are sound. `config` is
/// not looked at for an eval that needs no model. Returns what the estimate needs.
DataShape check_stage_data(const StageRun& run, const LlavaConfig& config);

}  // namespace qslaw
