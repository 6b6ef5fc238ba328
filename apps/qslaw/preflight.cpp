#include "preflight.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "assemble.h"
#include "core/error.h"
#include "eval/benchmark.h"
#include "export/export.h"
#include "position_checks.h"
#include "recipe/paths.h"
#include "stage_checks.h"
#include "stage_locks.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Without making it: what exists of its path must end in a folder in which one can be made.
void require_can_be_made(const fs::path& folder) {
  std::error_code ignored;
  const fs::path existing = existing_part(folder);
  require(fs::is_directory(existing, ignored), "output",
          "expected a folder that can be written, got a file: ", existing.string(), " (for ", folder.string(),
          ")");
  const bool writable = ::access(existing.c_str(), W_OK | X_OK) == 0;
  const int reason = errno;
  require(writable, "output", "expected a folder that can be written, got ",
          std::generic_category().message(reason), ": ", existing.string(), " (for ", folder.string(), ")");
}

LlavaConfig check_model(const Experiment& experiment, const std::string& only) {
  const Recipe& recipe = experiment.recipe;
  const LlavaConfig config = read_config(recipe.model.source);
  require_given_adapter(recipe, config);
  const Artifacts artifacts = collect_artifacts(experiment, only.empty() ? stage_names().front() : only);
  check_weights(tuned_source(experiment, artifacts), config);
  image_transform(recipe.model, config.vision);
  if (recipe.quantize && (only.empty() || only == "quantize")) require_quantize_base(artifacts);
  if (recipe.warmup && (only.empty() || only == "warmup")) {
    const bool is_made_first = only.empty() && recipe.quantize;
    require_warmup_base(is_made_first ? packed_base(*recipe.quantize) : packed_base(artifacts),
                        *recipe.warmup, config);
  }
  if (recipe.tune && (only.empty() || only == "tune"))
    require_tune_base(artifacts, artifacts.packed || (only.empty() && recipe.quantize), *recipe.tune);
  if (recipe.export_ && (only.empty() || only == "export")) {
    const bool tunes_adapter = only.empty() && recipe.tune && recipe.tune->method == "lora";
    require_exportable(recipe.model.source, config, *recipe.export_);
    const bool given = !recipe.model.adapter.empty();
    require_export_base(artifacts, artifacts.adapter || given || tunes_adapter, *recipe.export_);
  }
  require_adapter_base(experiment, artifacts);
  return config;
}

// The recipe's stages in their order, or `only` that one.
std::vector<std::string> chosen_stages(const Experiment& experiment, const std::string& only) {
  std::vector<std::string> stages;
  for (const std::string& stage : stage_names()) {
    if (experiment.has_section(stage) && (only.empty() || stage == only)) stages.push_back(stage);
  }
  if (stages.empty()) {
    fail(only.empty() ? "run" : only, "expected ",
         only.empty() ? "at least one of the sections " + join(stage_names()) : "a section " + only,
         " in the recipe, got none (", experiment.recipe.file.string(), ")");
  }
  return stages;
}

}  // namespace

fs::path existing_part(const fs::path& path) {
  std::error_code ignored;
  fs::path existing = path;
  while (!fs::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  return existing;
}

bool needs_model(const Experiment& experiment, const std::vector<std::string>& stages) {
  return std::any_of(stages.begin(), stages.end(), [&](const std::string& stage) {
    return stage != "eval" || needs_model(*experiment.recipe.eval);
  });
}

Preflight check_before_start(const Experiment& experiment, const std::string& only) {
  const std::vector<std::string> stages = chosen_stages(experiment, only);
  for (const std::string& stage : stages)
    require_can_be_made(experiment.folder(stage));
  require_paths_exist(experiment.recipe, stages);
  if (!experiment.options.dry_run) require_no_other_process(experiment, stages);
  const bool with_model = needs_model(experiment, stages);
  if (with_model) require_paths_exist(experiment.recipe, {"model"});
  Preflight found{stage_statuses(experiment, stages), {}};
  if (!experiment.options.dry_run) require_no_problem(found.stages);
  if (!with_model) return found;
  found.config = check_model(experiment, only);
  warn_of_positions(experiment.recipe, stages, found.config.language);
  return found;
}

}  // namespace qslaw
