#include "stage_locks.h"

#include <utility>

#include "core/error.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

fs::path lock_of(const fs::path& folder) {
  return folder.string() + ".lock";
}

// Finished folders that the stage reads. A link to one is where it leads, which is where it is written.
std::vector<fs::path> base_folders(const Experiment& experiment, const std::string& stage) {
  std::vector<fs::path> folders;
  std::error_code unreachable;
  for (const fs::path& folder : experiment.recipe.model.stages)
    folders.push_back(fs::weakly_canonical(folder, unreachable));
  for (const std::string& before : experiment.base_stages(stage))
    folders.push_back(experiment.folder(before));
  return folders;
}

[[noreturn]] void fail_base_in_use(const std::string& stage, const fs::path& folder) {
  fail(stage, "expected what the stage builds on to stay as it is, got another process that works in ",
       folder.string(), "; wait for its end, or give another --out");
}

}  // namespace

void fail_in_use(const std::string& stage, const fs::path& folder) {
  fail(stage, "expected to be the only process that works in ", folder.string(),
       ", got another one there; wait for its end, or give another --out");
}

void require_no_other_process(const Experiment& experiment, const std::vector<std::string>& stages) {
  for (const std::string& stage : stages) {
    const fs::path own = experiment.folder(stage);
    if (is_exclusively_locked(lock_of(own))) fail_in_use(stage, own);
  }
  for (const std::string& stage : stages) {
    for (const fs::path& folder : base_folders(experiment, stage))
      if (is_exclusively_locked(lock_of(folder))) fail_base_in_use(stage, folder);
  }
}

StageLocks::StageLocks(const Experiment& experiment, std::string stage)
    : experiment_(experiment), stage_(std::move(stage)) {
  for (const fs::path& folder : base_folders(experiment, stage_)) {
    std::error_code unreachable;
    if (!fs::is_directory(folder.parent_path(), unreachable)) continue;  // the stage says what is missing
    if (!locks_.emplace_back(lock_of(folder), LockKind::shared).held()) fail_base_in_use(stage_, folder);
  }
}

void StageLocks::take_own(LockKind kind) {
  const fs::path own = experiment_.folder(stage_), file = lock_of(own);
  if (locks_.emplace_back(file, kind).held()) return;
  if (is_exclusively_locked(file)) fail_in_use(stage_, own);
  fail(stage_, "expected that nothing builds on ", own.string(),
       " while it is written, got another process that reads it; wait for its end, or give another --out");
}

}  // namespace qslaw
