#include "stage_state.h"

#include "artifacts.h"
#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "input_lines.h"
#include "stage_locks.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Of every stage; the report first, because it says that the others are sound. What an earlier method left
// would be taken for the present one's.
constexpr const char* kResultFiles[] = {"report.json",           "language.safetensors", "model.safetensors",
                                        "projector.safetensors", "adapter.safetensors",  "gamma.safetensors"};

void require_same_inputs(const std::string& stage, const fs::path& folder, const std::string& inputs) {
  const std::string changed = changed_inputs(folder, inputs).what;
  require(changed.empty(), stage, "expected the inputs that this run began with, got ", changed,
          "; set it back, or start over with --restart (", folder.string(), ")");
}

// A GPU that cannot be loaded once (--device auto) must not cost a finished result.
void require_same_device(const std::string& stage, const fs::path& folder, const std::string& inputs) {
  const InputChange change = changed_inputs(folder, inputs);
  require(!change.only_device, stage, "expected the device that this finished stage ran on, got ",
          change.what, "; give its --device, or --restart to do it again (", folder.string(), ")");
}

fs::path kept_folder(const fs::path& folder) {
  return folder.string() + ".previous";
}

// A finished result may have cost days: when another recipe or file replaces it, the newest is kept beside
// it. But exports, which may be large, are soon written again.
void keep_aside(const std::string& stage, const fs::path& folder, const std::string& inputs) {
  const std::string reason = reason_to_start_over(folder, changed_inputs(folder, inputs));
  const fs::path kept = kept_folder(folder);
  if (stage != "export") {
    const FileLock alone(lock_file(kept));
    require(alone.held(), stage, "expected that nothing reads ", kept.string(),
            ", in whose place the present result is to be kept, got another process that does; wait for its "
            "end, or give another --out");
    fs::remove_all(kept);
    fs::rename(folder, kept);
  }
  log_info(concat(stage, ": ", reason, ", starting over",
                  stage == "export" ? "" : "; the earlier result is kept in " + kept.string()));
}

// A checkpoint is written before the first step, so that steps without one mean that it was lost.
bool has_steps(const fs::path& folder) {
  std::error_code not_there;
  const auto bytes = fs::file_size(folder / "metrics.jsonl", not_there);
  return !not_there && bytes > 0;
}

// Whether the stage goes on with the unfinished run in its folder, if there is one. One that has done neither
// a step nor a block (a first sample was bad, say) has nothing to lose, so it is not asked about.
bool goes_on(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  const bool resume = experiment.options.resume;
  if (has_progress(folder)) {
    require(resume, stage,
            "expected --resume to go on or --restart to start over, got neither for an unfinished run in ",
            folder.string());
    require_same_inputs(stage, folder, inputs);
    return true;
  }
  const bool has_checkpoint = find_checkpoint(folder).has_value();
  require(has_checkpoint || !has_steps(folder), stage,
          "expected the checkpoint of the unfinished run, got none beside its metrics.jsonl; put it back, or "
          "start over with --restart (",
          folder.string(), ")");
  return resume && has_checkpoint && changed_inputs(folder, inputs).what.empty();
}

}  // namespace

void require_room_aside(const Experiment& experiment, const std::string& stage) {
  const fs::path kept = kept_folder(experiment.folder(stage));
  for (const fs::path& brought : experiment.recipe.model.stages) {
    std::error_code not_there;
    require(
        !fs::equivalent(brought, kept, not_there), stage,
        "expected stages to build on that stay where they are, got ", brought.string(),
        ", in whose place the present result would be kept (key model.stages); rename it, or give another "
        "--out");
  }
}

StageState find_state(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  if (experiment.options.restart) return StageState::fresh;
  const std::optional<StageReport> report = complete_report(folder);
  if (!report) return goes_on(experiment, stage, inputs) ? StageState::resumed : StageState::fresh;
  if (!changed_inputs(folder, inputs).what.empty()) {
    require_same_device(stage, folder, inputs);
    require_room_aside(experiment, stage);
    return StageState::fresh;
  }
  if (!leaves_model(stage) && !missing_file(folder, *report).empty()) return StageState::fresh;
  require_stage_files(folder, *report, restart_remedy(stage));
  return StageState::complete;
}

std::string reason_to_start_over(const fs::path& folder, const InputChange& change) {
  if (!change.what.empty()) return "its inputs have changed (" + change.what + ")";
  return "its file " + missing_file(folder, read_stage_report(folder)) + " is gone";
}

void prepare_fresh(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  // What --restart throws away need not be readable.
  const bool complete = !experiment.options.restart && is_stage_complete(folder);
  if (complete) keep_aside(stage, folder, inputs);
  if (!complete && experiment.options.resume && find_checkpoint(folder))
    log_info(concat(stage, ": no step was done and the inputs have changed, starting over"));
  make_folder(folder);
  for (const char* file : kResultFiles)
    fs::remove(folder / file);
  remove_checkpoints(folder);
  write_file_atomic(folder / kInputsFile, with_digests(inputs));
  write_file_atomic(folder / "recipe.yaml", recipe_yaml(experiment.recipe));
}

}  // namespace qslaw
