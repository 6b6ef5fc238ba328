#include "stage_needs.h"

#include "core/error.h"
#include "core/log.h"
#include "dry_run_checks.h"
#include "kernels/device_memory.h"
#include "preflight.h"
#include "stage_checks.h"

namespace qslaw {

std::optional<PackedLinears> brought_linears(const Experiment& experiment,
                                             const std::vector<std::string>& stages) {
  if (!needs_model(experiment, stages)) return std::nullopt;
  return packed_linears(collect_artifacts(experiment, stage_names().front()));
}

StageEstimate check_data_and_estimate(const Experiment& experiment, const std::string& stage,
                                      const LlavaConfig& config,
                                      const std::optional<PackedLinears>& brought) {
  const StageRun run{experiment, stage, experiment.folder(stage), "", false, 0};
  return estimate_stage(experiment.recipe, stage, config, check_stage_data(run, config), brought);
}

MachineMemory memory_for(const Experiment& experiment) {
  return experiment.device.is_cpu() ? machine_memory() : device_memory(experiment.device);
}

std::string memory_problem(const Experiment& experiment, const std::string& stage,
                           const StageEstimate& estimate, const MachineMemory& memory) {
  const bool fits_at_all = estimate.total() <= memory.total;
  if (fits_at_all && estimate.total() <= memory.available) return "";
  return concat("expected a peak of at most the ",
                format_bytes(fits_at_all ? memory.available : memory.total),
                fits_at_all ? " that are free on " : " of ", experiment.device.str(), ", got an estimate of ",
                format_bytes(estimate.total()), " for ", stage,
                "; what lowers it: ", keys_that_lower(experiment.recipe, stage, estimate));
}

void check_memory(const Experiment& experiment, const std::string& stage, const StageEstimate& estimate,
                  const MachineMemory& memory) {
  const std::string problem = memory_problem(experiment, stage, estimate, memory);
  require(estimate.total() <= memory.total, "memory", problem);
  if (!problem.empty()) log_warning("[memory] " + problem);
}

void check_needs(const Experiment& experiment, const std::vector<std::string>& stages,
                 const LlavaConfig& config) {
  const auto brought = brought_linears(experiment, stages);
  const MachineMemory memory = memory_for(experiment);
  for (const StageStatus& status : stage_statuses(experiment, stages)) {
    if (status.complete) continue;
    const StageEstimate estimate = check_data_and_estimate(experiment, status.stage, config, brought);
    check_memory(experiment, status.stage, estimate, memory);
  }
}

void check_needs_of_one(const Experiment& experiment, const std::string& stage, const LlavaConfig& config) {
  if (stage_statuses(experiment, {stage}).front().complete) return;
  const auto brought = brought_linears(experiment, {stage});
  // What an evaluation takes is in its prompts.
  const StageEstimate estimate = stage == "eval"
                                     ? check_data_and_estimate(experiment, stage, config, brought)
                                     : estimate_stage(experiment.recipe, stage, config, {}, brought);
  check_memory(experiment, stage, estimate, memory_for(experiment));
}

}  // namespace qslaw
