// What a stage builds on.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "experiment.h"

namespace qslaw {

/// What a stage builds on: for each kind the newest of `model.stages` and this recipe's own earlier stages.
struct Artifacts {
  std::optional<std::filesystem::path> packed;     // quantize, warmup: language.safetensors
  std::optional<std::filesystem::path> dense;      // tune full: model.safetensors
  std::optional<std::filesystem::path> projector;  // warmup, tune: projector.safetensors
  std::optional<std::filesystem::path> adapter;    // tune lora: adapter.safetensors
};

/// UserError when an earlier stage of the recipe is not complete.
Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage);

}  // namespace qslaw
