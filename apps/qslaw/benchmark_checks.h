// What is found out about the data of the eval stage (dry_run_checks.h).
#pragma once
#include "model/config.h"
#include "recipe/estimate.h"
#include "stages.h"

namespace qslaw {

/// check_stage_data of the eval stage.
DataShape check_benchmarks(const StageRun& run, const LlavaConfig& config);

}  // namespace qslaw
