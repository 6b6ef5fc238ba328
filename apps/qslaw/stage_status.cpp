#include "stage_status.h"

#include <algorithm>

#include "core/text.h"
#include "report/stage_report.h"
#include "stage_inputs.h"
#include "stage_state.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Where an unfinished run stands: "step 20", "block 3" of a method that goes block by block, or "its last
// answers".
std::string position(const fs::path& folder) {
  const auto checkpoint = find_checkpoint(folder);
  if (checkpoint) return concat("step ", checkpoint_state(*checkpoint).at("step").get<int64_t>());
  std::error_code unreachable;
  if (fs::exists(answer_checkpoint(folder), unreachable)) return "its last answers";
  if (!fs::exists(block_checkpoint(folder), unreachable)) return "its beginning";
  const fs::directory_iterator files(block_checkpoint(folder));
  const auto finished = std::count_if(begin(files), end(files),
                                      [](const auto& entry) { return entry.path().extension() == ".json"; });
  return concat("block ", finished);
}

std::string fresh_text(const Experiment& experiment, const fs::path& folder, const std::string& inputs) {
  if (experiment.options.restart)
    return is_stage_complete(folder) || has_progress(folder) ? "would be done anew: --restart" : "new";
  return is_stage_complete(folder) ? "would be done anew: " + reason_to_start_over(folder, inputs) : "new";
}

// Behind `before`, which is yet to be done.
StageStatus status_behind(const Experiment& experiment, const std::string& stage, const std::string& before) {
  if (experiment.options.restart || !is_stage_complete(experiment.folder(stage)))
    return {stage, fresh_text(experiment, experiment.folder(stage), ""), false};
  return {stage, concat("would be done anew, unless ", before, " leaves the same files"), false};
}

StageStatus status_of(const Experiment& experiment, const std::string& stage) {
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

}  // namespace

std::vector<StageStatus> stage_statuses(const Experiment& experiment,
                                        const std::vector<std::string>& stages) {
  std::vector<StageStatus> statuses;
  std::string before;  // the first stage to be done whose result later ones build on
  for (const std::string& stage : stages) {
    statuses.push_back(before.empty() ? status_of(experiment, stage)
                                      : status_behind(experiment, stage, before));
    if (before.empty() && !statuses.back().complete && leaves_model(stage)) before = stage;
  }
  return statuses;
}

}  // namespace qslaw
