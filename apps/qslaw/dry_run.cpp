// --dry-run: everything that can be checked without computing, the complete recipe, and what each stage will
// need.
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>

#include "commands.h"
#include "core/log.h"
#include "preflight.h"
#include "recipe/estimate.h"
#include "report/table.h"
#include "stage_needs.h"

namespace qslaw {
namespace {

// Multiplications and additions per second of a small product: the machine's order of magnitude. The best of a
// few, because other work on the machine only slows down.
double probe_flops(const Experiment& experiment) {
  constexpr int64_t kSide = 768;
  constexpr int kTries = 5;
  const at::Tensor a =
      at::ones({kSide, kSide}, at::TensorOptions().dtype(experiment.dtype).device(experiment.device));
  at::mm(a, a).sum().item<float>();
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < kTries; ++i) {
    const auto began = std::chrono::steady_clock::now();
    at::mm(a, a).sum().item<float>();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return 2.0 * kSide * kSide * kSide / best;
}

void add_estimate(Table& table, const std::string& stage, const StageEstimate& estimate,
                  double flops_per_second) {
  // Small products reach about half of the probe's rate.
  const double seconds = 2.0 * estimate.flops / flops_per_second;
  table.add_row({cell(stage), bytes_cell(estimate.weights), bytes_cell(estimate.optimizer),
                 bytes_cell(estimate.gradients), bytes_cell(estimate.activations),
                 bytes_cell(estimate.total()), estimate.steps > 0 ? count_cell(estimate.steps) : empty_cell(),
                 seconds_cell(seconds)});
}

Table status_table(const std::vector<StageStatus>& statuses) {
  Table table{"Stages", {"stage", "status"}, {}};
  for (const StageStatus& status : statuses)
    table.add_row({cell(status.stage), cell(status.text)});
  return table;
}

// Of what is still to be done. What does not fit only warns: the recipe may be meant for another machine.
Table estimate_table(const Experiment& experiment, const std::vector<StageStatus>& statuses,
                     const LlavaConfig& config, const std::optional<PackedLinears>& brought) {
  Table table{"Estimated peak memory and time on " + experiment.device.str(),
              {"stage", "weights", "optimizer", "gradients", "activations", "peak", "steps", "time"},
              {}};
  const MachineMemory memory = memory_for(experiment);
  const double flops_per_second = probe_flops(experiment);
  for (const StageStatus& status : statuses) {
    if (status.complete) continue;
    const StageEstimate estimate = check_data_and_estimate(experiment, status.stage, config, brought);
    add_estimate(table, status.stage, estimate, flops_per_second);
    const std::string problem = memory_problem(experiment, status.stage, estimate, memory);
    if (!problem.empty()) log_warning("[memory] " + problem);
  }
  return table;
}

}  // namespace

void command_dry_run(const CommandOptions& options, const std::string& only) {
  const Experiment experiment = open_experiment(options);
  const LlavaConfig config = check_before_start(experiment, only);
  const std::vector<std::string> stages = chosen_stages(experiment, only);
  const std::vector<StageStatus> statuses = stage_statuses(experiment, stages);
  const Table estimates = estimate_table(experiment, statuses, config, brought_linears(experiment, stages));
  const Table status = status_table(statuses);
  const std::string recipe = recipe_yaml(experiment.recipe);
  if (options.json) {
    std::cout << nlohmann::json{{"recipe", recipe},
                                {"stages", table_json(status)},
                                {"estimate", table_json(estimates)}}
                     .dump()
              << std::endl;
  } else {
    std::cout << recipe << "\n" << table_text(status) << "\n" << table_text(estimates) << std::endl;
  }
}

}  // namespace qslaw
