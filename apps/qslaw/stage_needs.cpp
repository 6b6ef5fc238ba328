#include "stage_needs.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "dry_run_checks.h"
#include "kernels/device_memory.h"
#include "preflight.h"
#include "recipe/memory_parts.h"
#include "stage_checks.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// The packed linears of `model.stages` (this recipe's own quantize section is known without a file).
std::optional<PackedLinears> brought_linears(const Experiment& experiment,
                                             const std::vector<StageStatus>& statuses) {
  std::vector<std::string> stages;
  for (const StageStatus& status : statuses)
    stages.push_back(status.stage);
  if (!needs_model(experiment, stages)) return std::nullopt;
  return packed_linears(collect_artifacts(experiment, stage_names().front()));
}

NeedsProblem memory_problem(const Experiment& experiment, const StageNeeds& needs,
                            const MachineMemory& memory) {
  const int64_t peak = needs.memory.total();
  const bool certain = peak > memory.total;
  if (!certain && peak <= memory.available) return {};
  const std::string keys = keys_that_lower(experiment.recipe, needs.stage, needs.memory);
  return {concat("[memory] expected a peak of at most the ",
                 format_bytes(certain ? memory.total : memory.available),
                 certain ? " of " : " that are free on ", experiment.device.str(), ", got an estimate of ",
                 format_bytes(peak), " for ", needs.stage, keys.empty() ? "" : "; what lowers it: ", keys),
          certain};
}

NeedsProblem disk_problem(const Experiment& experiment, const std::vector<StageNeeds>& needs) {
  std::vector<DiskEstimate> disks;
  for (const StageNeeds& stage : needs)
    disks.push_back(stage.disk);
  const auto most = static_cast<uintmax_t>(most_disk(disks));
  std::error_code unknown;
  const fs::space_info space = fs::space(existing_part(experiment.recipe.output), unknown);
  const bool certain = most > space.capacity;
  if (unknown || (!certain && most <= space.available)) return {};
  const auto bytes = [](uintmax_t count) { return format_bytes(static_cast<int64_t>(count)); };
  return {
      concat("[disk] expected at most the ", bytes(certain ? space.capacity : space.available),
             certain ? " of" : " that are free on", " the file system of ", experiment.recipe.output.string(),
             ", got an estimate of ", bytes(most), " to be written; give another --out"),
      certain};
}

}  // namespace

std::vector<StageNeeds> find_needs(const Experiment& experiment, const std::vector<StageStatus>& statuses,
                                   const LlavaConfig& config) {
  const std::optional<PackedLinears> brought = brought_linears(experiment, statuses);
  std::vector<StageNeeds> all;
  for (const StageStatus& status : statuses) {
    if (status.complete) continue;
    const std::string& stage = status.stage;
    const DataShape data =
        check_stage_data({experiment, stage, experiment.folder(stage), "", false, 0}, config);
    const StageEstimate memory =
        estimate_stage(experiment.recipe, stage, config, data, brought, experiment.device);
    all.push_back({stage, data, memory, estimate_disk(experiment.recipe, stage, config, memory, brought)});
  }
  return all;
}

std::vector<NeedsProblem> needs_problems(const Experiment& experiment, const std::vector<StageNeeds>& needs) {
  const MachineMemory memory = device_memory(experiment.device);
  std::vector<NeedsProblem> problems;
  for (const StageNeeds& stage : needs)
    problems.push_back(memory_problem(experiment, stage, memory));
  problems.push_back(disk_problem(experiment, needs));
  std::erase_if(problems, [](const NeedsProblem& problem) { return problem.text.empty(); });
  return problems;
}

std::vector<StageNeeds> check_needs(const Experiment& experiment, const std::vector<StageStatus>& statuses,
                                    const LlavaConfig& config) {
  const auto needs = find_needs(experiment, statuses, config);
  for (const NeedsProblem& problem : needs_problems(experiment, needs)) {
    if (problem.certain) throw UserError(problem.text);
    log_warning(problem.text);
  }
  return needs;
}

}  // namespace qslaw
