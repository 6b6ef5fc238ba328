// What a stage builds on.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiment.h"
#include "report/stage_report.h"

namespace qslaw {

/// What is known of a file that a finished stage left.
struct ArtifactOrigin {
  std::string stage;
  std::string sha256;
  std::string remedy;  // what to do about a file that is not the stage's
};

/// What a stage builds on: for each kind the newest of `model.stages` and this recipe's own earlier stages.
struct Artifacts {
  std::optional<std::filesystem::path> packed;  // quantize, warmup: language.safetensors
  // tune full: model.safetensors, in order: a later one lacks the tower where that was not trained again.
  std::vector<std::filesystem::path> dense;
  std::string tuned_base;  // SHA-256 of each of `dense`; empty: the checkpoint's weights
  std::optional<std::filesystem::path> projector;           // warmup, tune: projector.safetensors
  std::optional<std::filesystem::path> adapter;             // tune lora: adapter.safetensors
  std::optional<std::filesystem::path> given_adapter;       // model.adapter, as long as no stage has tuned it
  std::map<std::filesystem::path, ArtifactOrigin> origins;  // of these files, among others
};

/// UserError when an earlier stage of the recipe, or one of `model.stages`, is not complete or lacks a file:
/// without it the stage would silently work on another model. The same, but for `run`, when one of the
/// recipe's own was made of other inputs than the present ones. Also for packed weights of another base than
/// the fully tuned model, if any, before them. KeyError for an adapter of `model.stages` beside
/// model.adapter. Reads headers only.
Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage);

/// Before they are read: their bytes, too, must be those that the stages' reports speak of. UserError naming
/// the first file that holds others.
void verify_artifacts(const Artifacts& artifacts, const std::string& stage);

/// The first file of the stage's report that is not there; empty: all are.
std::string missing_file(const std::filesystem::path& folder, const StageReport& report);
/// UserError naming the first file of the stage's report that is not there, and what to do.
void require_stage_files(const std::filesystem::path& folder, const StageReport& report,
                         const std::string& remedy);
/// What to do about one of the recipe's own stages.
std::string restart_remedy(const std::string& stage);

}  // namespace qslaw
