// What would stop a stage later, found before the first one computes. Asked by every command that runs stages
// and by --dry-run.
#pragma once
#include <string>
#include <vector>

#include "experiment.h"
#include "model/config.h"
#include "stage_status.h"

namespace qslaw {

/// What there is of a path that may not be there yet: the path, or the nearest folder above it.
std::filesystem::path existing_part(const std::filesystem::path& path);

/// Whether any of the stages loads the model (an eval of given predictions does not).
bool needs_model(const Experiment& experiment, const std::vector<std::string>& stages);

/// What a command is about to do.
struct Preflight {
  std::vector<StageStatus> stages;  // the recipe's in their order, or only the one that was asked for
  LlavaConfig config;               // empty where no stage needs the model
};

/// Sections that are there (`only`: that of one stage; empty: any), output folders that can be made, files
/// and folders that exist, no other process in the stages' folders and no problem with what is there
/// (stage_status.h; --dry-run, which may look while a process works, says that itself), and, where a stage
/// needs the model, its configuration, the names of its weights and what the stages begin with (of `run`, no
/// stage of its own needs to be there yet). Reads headers only. Warns of sequences that are too long for the
/// model.
Preflight check_before_start(const Experiment& experiment, const std::string& only);

}  // namespace qslaw
