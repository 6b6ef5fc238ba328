#include "stages.h"

#include <functional>
#include <map>

#include "artifacts.h"
#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "core/stopwatch.h"
#include "kernels/device_memory.h"
#include "preflight.h"
#include "report/host_memory.h"
#include "stage_inputs.h"
#include "stage_locks.h"
#include "stage_state.h"
#include "train/checkpoint.h"

namespace qslaw {
namespace {

using StageFunction = void (*)(const StageRun&, StageReport&);

// To add a stage: its file, a row here and in stage_names(), its options in lib/recipe.
StageFunction stage_function(const std::string& stage) {
  static const std::map<std::string, StageFunction> functions = {{"quantize", run_quantize},
                                                                 {"warmup", run_warmup},
                                                                 {"tune", run_tune},
                                                                 {"eval", run_eval},
                                                                 {"export", run_export}};
  return functions.at(stage);
}

// What the stage is found to be once its lock is had, which a complete one shares with others.
StageState lock_stage(const Experiment& experiment, const std::string& stage, const std::string& inputs,
                      StageLocks& locks) {
  const StageState state = find_state(experiment, stage, inputs);
  locks.take_own(state == StageState::complete ? LockKind::shared : LockKind::exclusive);
  if (find_state(experiment, stage, inputs) != state) fail_in_use(stage, experiment.folder(stage));
  return state;
}

// Does the work of a stage whose folder is prepared, up to its report.
StageReport do_stage(const Experiment& experiment, const std::string& stage, const std::string& fingerprint,
                     bool resume) {
  const auto folder = experiment.folder(stage);
  const LogFile log((folder / "log.txt").string());
  log_info(concat(stage, ": ", resume ? "going on" : "starting", " in ", folder.string()));
  const Stopwatch stopwatch;
  StageReport report = new_stage_report(stage, experiment.recipe.name);
  report.seed = experiment.recipe.seed;
  report.device = experiment.device.str();
  reset_peak_host_bytes();
  reset_peak_device_bytes(experiment.device);
  stage_function(stage)({experiment, stage, folder, fingerprint, resume, current_host_bytes()}, report);
  if (report.seconds == 0) report.seconds = stopwatch.seconds();
  report.peak_host_bytes = std::max(report.peak_host_bytes, peak_host_bytes());
  report.peak_device_bytes = peak_device_bytes(experiment.device);
  report.fingerprint = fingerprint;
  write_stage_report(folder, report);
  remove_checkpoints(folder);  // not before: a kill in between would cost the whole stage
  log_info(concat(stage, ": done in ", format_seconds(report.seconds), ", peak memory ",
                  format_bytes(report.peak_host_bytes)));
  return report;
}

}  // namespace

StageOutcome run_stage(const Experiment& experiment, const std::string& stage) {
  require(experiment.has_section(stage), stage, "expected a section ", stage, " in the recipe, got none (",
          experiment.recipe.file.string(), ")");
  const auto folder = experiment.folder(stage);
  make_folder(experiment.recipe.output);
  require_no_other_process(experiment, {stage});
  StageLocks locks(experiment, stage);
  const std::string inputs = stage_inputs(experiment, stage);
  const StageState state = lock_stage(experiment, stage, inputs, locks);
  if (state == StageState::complete) {
    remove_checkpoints(folder);
    log_info(concat(stage, ": complete already, nothing to do (", folder.string(), ")"));
    return {read_stage_report(folder), false};
  }
  if (needs_model(experiment, {stage})) verify_artifacts(collect_artifacts(experiment, stage), stage);
  if (state == StageState::fresh) prepare_fresh(experiment, stage, inputs);
  // Of what it began with: the same content may have another time now.
  const std::string fingerprint = sha256(read_file(folder / kInputsFile));
  return {do_stage(experiment, stage, fingerprint, state == StageState::resumed), true};
}

void add_file_hashes(StageReport& report, const std::filesystem::path& folder,
                     const std::vector<std::string>& names) {
  for (const auto& name : names)
    report.files[name] = sha256_file(folder / name);
}

void add_folder_hashes(StageReport& report, const std::filesystem::path& folder, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / name)) {
    if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  add_file_hashes(report, folder, names);
}

}  // namespace qslaw
