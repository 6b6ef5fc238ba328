// What stages need of data and memory, looked at before the first of them computes.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/machine_memory.h"
#include "experiment.h"
#include "model/config.h"
#include "recipe/estimate.h"
#include "stage_status.h"

namespace qslaw {

/// The packed linears of `model.stages` (this recipe's own quantize section is known without a file).
std::optional<PackedLinears> brought_linears(const Experiment& experiment,
                                             const std::vector<std::string>& stages);

/// Checks the stage's data (check_stage_data) and returns what it will need.
StageEstimate check_data_and_estimate(const Experiment& experiment, const std::string& stage,
                                      const LlavaConfig& config, const std::optional<PackedLinears>& brought);

/// Of the experiment's device.
MachineMemory memory_for(const Experiment& experiment);

/// Says when the estimate is above what is available, or above all there is; "" when it fits. Names the
/// numbers and the keys that lower them.
std::string memory_problem(const Experiment& experiment, const std::string& stage,
                           const StageEstimate& estimate, const MachineMemory& memory);

/// A warning with memory_problem; UserError when it is above all there is.
void check_memory(const Experiment& experiment, const std::string& stage, const StageEstimate& estimate,
                  const MachineMemory& memory);

/// Before `run`: data and memory of every stage that is not complete, so that what would stop the last one
/// shows up before the first one computes.
void check_needs(const Experiment& experiment, const std::vector<std::string>& stages,
                 const LlavaConfig& config);

/// Before one stage alone, which reads its data at once: its memory without that of activations. Of an
/// evaluation data and memory, as before `run`.
void check_needs_of_one(const Experiment& experiment, const std::string& stage, const LlavaConfig& config);

}  // namespace qslaw
