// A recipe on its way through the stages: where things lie, what is finished, what a stage may build on.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command_options.h"
#include "recipe/recipe.h"

namespace qslaw {

/// The stages in the order in which `run` does them.
const std::vector<std::string>& stage_names();

struct Experiment {
  Recipe recipe;
  CommandOptions options;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;

  std::filesystem::path folder(const std::string& stage) const { return recipe.output / stage; }
  bool has_section(const std::string& stage) const;
};

/// Reads the recipe and resolves device and dtype. UserError when a device is asked for that is not there.
Experiment open_experiment(const CommandOptions& options);

at::ScalarType parse_dtype(const std::string& name);

/// What a stage builds on: for each kind the newest of `model.stages` and this recipe's own earlier stages.
struct Artifacts {
  std::optional<std::filesystem::path> packed;     // quantize, warmup: language.safetensors
  std::optional<std::filesystem::path> dense;      // tune full: model.safetensors
  std::optional<std::filesystem::path> projector;  // warmup, tune: projector.safetensors
  std::optional<std::filesystem::path> adapter;    // tune lora: adapter.safetensors
};

/// UserError when an earlier stage of the recipe is not complete.
Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage);

/// Everything that decides a stage's result, one thing per line: its resolved section, the model section,
/// seed, the sizes and times of the files they name, and the reports of the stages before it. Its SHA-256 is
/// the stage's fingerprint.
std::string stage_inputs(const Experiment& experiment, const std::string& stage);

/// Whether a stage starts over, goes on or has nothing to do.
enum class StageState { fresh, resumed, complete };

/// What begin_stage will find, without changing anything: complete with the same inputs; unfinished, and to
/// go on with --resume; anything else starts over, as all does with --restart. UserError for an unfinished
/// run without
/// --resume or --restart, and for one that was begun with other inputs, naming the first that differs. A run
/// that has done neither a step nor a block is not asked about: it goes on with --resume and the same inputs,
/// and starts over otherwise.
StageState find_state(const Experiment& experiment, const std::string& stage, const std::string& inputs);

/// Prepares the stage's folder for what find_state says. A finished result that other inputs replace is kept
/// in
/// `<stage>.previous` (exports are not, which are soon written again), in place of an older one there.
StageState begin_stage(const Experiment& experiment, const std::string& stage, const std::string& inputs);

}  // namespace qslaw
