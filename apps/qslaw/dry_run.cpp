// --dry-run: everything that can be checked without computing, the complete recipe, and what each stage will
// need.
#include <ATen/ATen.h>

#include <chrono>
#include <iostream>

#include "commands.h"
#include "dry_run_checks.h"
#include "preflight.h"
#include "recipe/estimate.h"
#include "report/table.h"
#include "stage_checks.h"
#include "stages.h"

namespace qslaw {
namespace {

// Multiplications and additions per second of a small product: the machine's order of magnitude.
double probe_flops(const Experiment& experiment) {
  constexpr int64_t kSide = 768;
  const at::Tensor a =
      at::ones({kSide, kSide}, at::TensorOptions().dtype(experiment.dtype).device(experiment.device));
  at::mm(a, a).sum().item<float>();
  const auto began = std::chrono::steady_clock::now();
  at::mm(a, a).sum().item<float>();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return 2.0 * kSide * kSide * kSide / seconds;
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

// Of `model.stages`; this recipe's own quantize section is known without a file.
std::optional<PackedLinears> brought_linears(const Experiment& experiment,
                                             const std::vector<std::string>& stages) {
  if (!needs_model(experiment, stages)) return std::nullopt;
  return packed_linears(collect_artifacts(experiment, stage_names().front()));
}

Table estimate_table(const Experiment& experiment, const std::vector<std::string>& stages,
                     const LlavaConfig& config) {
  Table table{"Estimated peak memory and time on " + experiment.device.str(),
              {"stage", "weights", "optimizer", "gradients", "activations", "peak", "steps", "time"},
              {}};
  const double flops_per_second = probe_flops(experiment);
  const auto brought = brought_linears(experiment, stages);
  for (const std::string& stage : stages) {
    const StageRun run{experiment, stage, experiment.folder(stage), "", false, 0};
    const DataShape data = check_stage_data(run, config);
    add_estimate(table, stage, estimate_stage(experiment.recipe, stage, config, data, brought),
                 flops_per_second);
  }
  return table;
}

}  // namespace

void command_dry_run(const CommandOptions& options, const std::string& only) {
  const Experiment experiment = open_experiment(options);
  const LlavaConfig config = check_before_start(experiment, only);
  const Table table = estimate_table(experiment, chosen_stages(experiment, only), config);
  if (options.json) {
    std::cout
        << nlohmann::json{{"recipe", recipe_yaml(experiment.recipe)}, {"estimate", table_json(table)}}.dump()
        << std::endl;
  } else {
    std::cout << recipe_yaml(experiment.recipe) << "\n" << table_text(table) << std::endl;
  }
}

}  // namespace qslaw
