#include "stage_status.h"

#include <algorithm>

#include "artifacts.h"
#include "core/error.h"
#include "report/stage_report.h"
#include "stage_inputs.h"
#include "stage_state.h"
#include "train/checkpoint.h"
#include "train/position.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Where an unfinished run stands: "step 20", "block 3" of a method that goes block by block, or "its last
// finished batch".
std::string position(const fs::path& folder) {
  const auto checkpoint = find_checkpoint(folder);
  if (checkpoint) return concat("step ", read_state(*checkpoint).position.step);
  std::error_code unreachable;
  if (fs::exists(answer_checkpoint(folder), unreachable)) return "its last finished batch";
  if (!fs::exists(block_checkpoint(folder), unreachable)) return "its beginning";
  const fs::directory_iterator files(block_checkpoint(folder));
  const auto finished = std::count_if(begin(files), end(files),
                                      [](const auto& entry) { return entry.path().extension() == ".json"; });
  return concat("block ", finished);
}

std::string fresh_text(const Experiment& experiment, const fs::path& folder, const std::string& inputs) {
  if (experiment.options.restart)
    return fs::exists(folder / "report.json") || has_progress(folder) ? "would be done anew: --restart"
                                                                      : "new";
  return is_stage_complete(folder)
             ? "would be done anew: " + reason_to_start_over(folder, changed_inputs(folder, inputs))
             : "new";
}

StageStatus refused(const Experiment& experiment, const std::string& stage, const std::string& problem) {
  const fs::path folder = experiment.folder(stage);
  const std::string what =
      is_stage_complete(folder) ? "complete, but not as asked" : "unfinished, at " + position(folder);
  return {stage, what + ": see the error", false, problem};
}

// What an unfinished stage has done could not go on once a stage before it, which may take hours, has left
// something else.
void require_no_progress(const Experiment& experiment, const std::string& stage, const std::string& before) {
  const fs::path folder = experiment.folder(stage);
  if (!has_progress(folder)) return;
  const std::string changed =
      changed_inputs(experiment.folder(before), stage_inputs(experiment, before)).what;
  fail(stage, "expected ", before, " to be as complete as when the unfinished run in ", folder.string(),
       " began, got one to be done anew (", changed.empty() ? "unfinished" : changed,
       "); set that back, or move ", folder.string(), " away to begin it anew, too");
}

// Why a complete stage is done anew whatever `before` leaves, if it is.
std::string text_behind(const Experiment& experiment, const std::string& stage, const std::string& before) {
  const fs::path folder = experiment.folder(stage);
  const InputChange change = changed_own_inputs(experiment, stage);
  const bool changed = !change.what.empty() && !change.only_device;
  if (!changed && (leaves_model(stage) || missing_file(folder, read_stage_report(folder)).empty()))
    return concat("would be done anew, unless ", before, " leaves the same files");
  return "would be done anew: " + reason_to_start_over(folder, change);
}

// Behind `before`, which is yet to be done.
StageStatus status_behind(const Experiment& experiment, const std::string& stage, const std::string& before) {
  const fs::path folder = experiment.folder(stage);
  if (experiment.options.restart || !is_stage_complete(folder)) {
    if (!experiment.options.restart) require_no_progress(experiment, stage, before);
    return {stage, fresh_text(experiment, folder, ""), false};
  }
  require_room_aside(experiment, stage);
  return {stage, text_behind(experiment, stage, before), false};
}

StageStatus known_status(const Experiment& experiment, const std::string& stage) {
  const fs::path folder = experiment.folder(stage);
  const std::string inputs = stage_inputs(experiment, stage);
  switch (find_state(experiment, stage, inputs)) {
    case StageState::complete:
      return {stage, "complete", true};
    case StageState::resumed:
      return {stage, "would go on at " + position(folder), false};
    case StageState::fresh:
      break;
  }
  return {stage, fresh_text(experiment, folder, inputs), false};
}

StageStatus status_of(const Experiment& experiment, const std::string& stage, const std::string& before) {
  try {
    return before.empty() ? known_status(experiment, stage) : status_behind(experiment, stage, before);
  } catch (const UserError& problem) {
    return refused(experiment, stage, problem.what());
  }
}

}  // namespace

std::vector<StageStatus> stage_statuses(const Experiment& experiment,
                                        const std::vector<std::string>& stages) {
  std::vector<StageStatus> statuses;
  std::string before;  // the first stage to be done whose result later ones build on
  for (const std::string& stage : stages) {
    statuses.push_back(status_of(experiment, stage, before));
    if (before.empty() && !statuses.back().complete && leaves_model(stage)) before = stage;
  }
  return statuses;
}

void require_no_problem(const std::vector<StageStatus>& statuses) {
  for (const StageStatus& status : statuses) {
    if (!status.problem.empty()) throw UserError(status.problem);
  }
}

}  // namespace qslaw
