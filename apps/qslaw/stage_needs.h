// What stages need of data, memory and disk, looked at before the first of them computes.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/machine_memory.h"
#include "experiment.h"
#include "model/config.h"
#include "recipe/disk_estimate.h"
#include "recipe/estimate.h"
#include "stage_status.h"

namespace qslaw {

struct StageNeeds {
  std::string stage;
  DataShape data;
  StageEstimate memory;
  DiskEstimate disk;
};

/// Checks the data (check_stage_data) of every stage that is not complete, and what each of them will need.
std::vector<StageNeeds> find_needs(const Experiment& experiment, const std::vector<StageStatus>& statuses,
                                   const LlavaConfig& config);

/// What does not fit into the memory of the experiment's device or the file system of its output: one line
/// each, with the numbers and what to do. A problem that is certain is above all there is, and not only above
/// what is free now.
struct NeedsProblem {
  std::string text;
  bool certain = false;
};
std::vector<NeedsProblem> needs_problems(const Experiment& experiment, const std::vector<StageNeeds>& needs);

/// Data, memory and disk of every one of the stages that is not complete, so that what would stop the last
/// one shows up before the first one computes, and before --restart costs a result. Warnings with what does
/// not fit; UserError when that is certain. Returns what they need.
std::vector<StageNeeds> check_needs(const Experiment& experiment, const std::vector<StageStatus>& statuses,
                                    const LlavaConfig& config);

}  // namespace qslaw
