// --dry-run: everything that can be checked without computing, the complete recipe, and what each stage will
// need.
#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "assemble.h"
#include "commands.h"
#include "core/error.h"
#include "dry_run_checks.h"
#include "eval/benchmark.h"
#include "recipe/estimate.h"
#include "report/table.h"
#include "stage_checks.h"
#include "stages.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Those that would run, in their order.
std::vector<std::string> chosen_stages(const Experiment& experiment, const std::string& only) {
  std::vector<std::string> stages;
  for (const std::string& stage : stage_names()) {
    if (experiment.has_section(stage) && (only.empty() || stage == only)) stages.push_back(stage);
  }
  require(!stages.empty(), "dry run", "expected a section ", only.empty() ? join(stage_names()) : only,
          " in the recipe, got none");
  return stages;
}

// Without making it: what exists of its path must end in a folder in which one can be made.
void require_can_be_made(const fs::path& folder) {
  std::error_code ignored;
  fs::path existing = folder;
  while (!fs::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  require(fs::is_directory(existing, ignored), "output",
          "expected a folder that can be written, got a file: ", existing.string(), " (for ", folder.string(),
          ")");
  const bool writable = ::access(existing.c_str(), W_OK | X_OK) == 0;
  const int reason = errno;
  require(writable, "output", "expected a folder that can be written, got ",
          std::generic_category().message(reason), ": ", existing.string(), " (for ", folder.string(), ")");
}

// Configuration, names of the weights and the folders that the stages begin with. Of `run`, no stage of its
// own needs to be there yet.
LlavaConfig check_model(const Experiment& experiment, const std::string& only) {
  const Recipe& recipe = experiment.recipe;
  const LlavaConfig config = read_config(recipe.model.source);
  check_weight_names(recipe.model.source, config);
  image_transform(recipe.model, config.vision);
  const Artifacts artifacts = collect_artifacts(experiment, only.empty() ? stage_names().front() : only);
  if (recipe.warmup && (only.empty() || only == "warmup")) {
    const bool is_made_first = only.empty() && recipe.quantize;
    require_warmup_base(is_made_first ? packed_base(*recipe.quantize) : packed_base(artifacts),
                        *recipe.warmup, config);
  }
  if (recipe.tune && (only.empty() || only == "tune"))
    require_tune_base(artifacts, artifacts.packed || (only.empty() && recipe.quantize), *recipe.tune);
  return config;
}

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

Table estimate_table(const Experiment& experiment, const std::vector<std::string>& stages,
                     const LlavaConfig& config) {
  Table table{"Estimated peak memory and time on " + experiment.device.str(),
              {"stage", "weights", "optimizer", "gradients", "activations", "peak", "steps", "time"},
              {}};
  const double flops_per_second = probe_flops(experiment);
  for (const std::string& stage : stages) {
    const StageRun run{experiment, stage, experiment.folder(stage), "", false, 0};
    const DataShape data = check_stage_data(run, config);
    add_estimate(table, stage, estimate_stage(experiment.recipe, stage, config, data), flops_per_second);
  }
  return table;
}

}  // namespace

void command_dry_run(const CommandOptions& options, const std::string& only) {
  const Experiment experiment = open_experiment(options);
  const Recipe& recipe = experiment.recipe;
  const std::vector<std::string> stages = chosen_stages(experiment, only);
  for (const std::string& stage : stages)
    require_can_be_made(experiment.folder(stage));
  const bool with_model = std::any_of(stages.begin(), stages.end(), [&](const std::string& stage) {
    return stage != "eval" || needs_model(*recipe.eval);
  });
  const LlavaConfig config = with_model ? check_model(experiment, only) : LlavaConfig{};
  const Table table = estimate_table(experiment, stages, config);
  if (options.json) {
    std::cout << nlohmann::json{{"recipe", recipe_yaml(recipe)}, {"estimate", table_json(table)}}.dump()
              << std::endl;
  } else {
    std::cout << recipe_yaml(recipe) << "\n" << table_text(table) << std::endl;
  }
}

}  // namespace qslaw
