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
#include "recipe/paths.h"
#include "stage_checks.h"
#include "stage_inputs.h"
#include "stage_locks.h"
#include "stage_state.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

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

LlavaConfig check_model(const Experiment& experiment, const std::string& only) {
  const Recipe& recipe = experiment.recipe;
  const LlavaConfig config = read_config(recipe.model.source);
  check_weights(recipe.model.source, config);
  image_transform(recipe.model, config.vision);
  const Artifacts artifacts = collect_artifacts(experiment, only.empty() ? stage_names().front() : only);
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
    require_export_base(artifacts, artifacts.adapter || tunes_adapter, *recipe.export_);
  }
  return config;
}

// What an unfinished stage has done could not go on once a stage before it, which may take hours, has left
// something else.
void require_no_progress(const Experiment& experiment, const std::string& stage, const std::string& before) {
  const fs::path folder = experiment.folder(stage);
  if (is_stage_complete(folder) || !has_progress(folder)) return;
  const std::string changed =
      changed_inputs(experiment.folder(before), stage_inputs(experiment, before)).what;
  fail(stage, "expected ", before, " to be as complete as when the unfinished run in ", folder.string(),
       " began, got one to be done anew (", changed.empty() ? "unfinished" : changed,
       "); set that back, or move ", folder.string(), " away to begin it anew, too");
}

// The first stage that is not complete decides whether the run may begin; what later ones find depends on it.
void check_states(const Experiment& experiment, const std::vector<std::string>& stages) {
  const auto first = std::find_if(stages.begin(), stages.end(), [&](const std::string& stage) {
    return find_state(experiment, stage, stage_inputs(experiment, stage)) != StageState::complete;
  });
  if (first == stages.end() || experiment.options.restart) return;
  for (auto later = first + 1; later != stages.end(); ++later)
    require_no_progress(experiment, *later, *first);
}

}  // namespace

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

bool needs_model(const Experiment& experiment, const std::vector<std::string>& stages) {
  return std::any_of(stages.begin(), stages.end(), [&](const std::string& stage) {
    return stage != "eval" || needs_model(*experiment.recipe.eval);
  });
}

LlavaConfig check_before_start(const Experiment& experiment, const std::string& only) {
  const std::vector<std::string> stages = chosen_stages(experiment, only);
  for (const std::string& stage : stages)
    require_can_be_made(experiment.folder(stage));
  require_paths_exist(experiment.recipe, stages);
  if (!experiment.options.dry_run) require_no_other_process(experiment, stages);
  if (needs_model(experiment, stages)) require_paths_exist(experiment.recipe, {"model"});
  check_states(experiment, stages);
  return needs_model(experiment, stages) ? check_model(experiment, only) : LlavaConfig{};
}

}  // namespace qslaw
