// How long a stage will take, for --dry-run: extrapolated from what can be measured within seconds, or from
// what an interrupted run has measured already.
#pragma once
#include <string>

#include "experiment.h"
#include "model/config.h"
#include "stage_needs.h"

namespace qslaw {

struct StageTime {
  double seconds = 0.0;
  std::string from;  // what it was extrapolated from: "3 finished blocks", "a measured step of one block, 2.1
                     // s each", "arithmetic"
};

/// Multiplications and additions per second of a small product on the experiment's device: its order of
/// magnitude.
double probe_flops(const Experiment& experiment);

/// Of a stage that is not complete. omniquant, where an interrupted run with the same inputs has finished
/// blocks: their seconds, times the blocks that are left. Otherwise a step of one calibration batch on one
/// block is measured, a shorter one where it would take long, unless the stage does not fit in memory. All
/// other stages: their arithmetic at the probe's rate.
StageTime estimate_time(const Experiment& experiment, const StageNeeds& needs, const LlavaConfig& config,
                        double flops_per_second);

}  // namespace qslaw
