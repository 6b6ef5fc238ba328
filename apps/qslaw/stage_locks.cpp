#include "stage_locks.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Those of a folder by its name and, where that is a link, by where it leads: readers know it as either, and
// a link is replaced when its result is kept aside.
std::vector<fs::path> locks_of(const fs::path& folder) {
  const fs::path named = folder.string() + ".lock", real = lock_file(folder);
  if (fs::is_symlink(fs::symlink_status(folder))) return {named, real};
  return {real};
}

bool is_written(const fs::path& folder) {
  const std::vector<fs::path> files = locks_of(folder);
  return std::any_of(files.begin(), files.end(), is_exclusively_locked);
}

// Finished folders that the stage reads.
std::vector<fs::path> base_folders(const Experiment& experiment, const std::string& stage) {
  std::vector<fs::path> folders = experiment.recipe.model.stages;
  for (const std::string& before : experiment.base_stages(stage))
    folders.push_back(experiment.folder(before));
  return folders;
}

[[noreturn]] void fail_base_in_use(const std::string& stage, const fs::path& folder) {
  fail(stage, "expected what the stage builds on to stay as it is, got another process that works in ",
       folder.string(), "; wait for its end, or give another --out");
}

}  // namespace

fs::path lock_file(const fs::path& folder) {
  std::error_code unreachable;
  const fs::path real = fs::weakly_canonical(folder, unreachable);
  return (unreachable ? folder : real).string() + ".lock";
}

void fail_in_use(const std::string& stage, const fs::path& folder) {
  fail(stage, "expected to be the only process that works in ", folder.string(),
       ", got another one there; wait for its end, or give another --out");
}

void require_no_other_process(const Experiment& experiment, const std::vector<std::string>& stages) {
  for (const std::string& stage : stages) {
    const fs::path own = experiment.folder(stage);
    if (is_written(own)) fail_in_use(stage, own);
  }
  for (const std::string& stage : stages) {
    for (const fs::path& folder : base_folders(experiment, stage))
      if (is_written(folder)) fail_base_in_use(stage, folder);
  }
}

StageLocks::StageLocks(const Experiment& experiment, std::string stage)
    : experiment_(experiment), stage_(std::move(stage)) {
  for (const fs::path& folder : base_folders(experiment, stage_)) {
    for (const fs::path& file : locks_of(folder)) {
      std::error_code unreachable;
      if (!fs::is_directory(file.parent_path(), unreachable)) continue;  // the stage says what is missing
      if (!locks_.emplace_back(file, LockKind::shared).held()) fail_base_in_use(stage_, folder);
    }
  }
}

void StageLocks::take_own(LockKind kind) {
  const fs::path own = experiment_.folder(stage_);
  for (const fs::path& file : locks_of(own)) {
    if (locks_.emplace_back(file, kind).held()) continue;
    if (is_exclusively_locked(file)) fail_in_use(stage_, own);
    fail(stage_, "expected that nothing builds on ", own.string(),
         " while it is written, got another process that reads it; wait for its end, or give another --out");
  }
}

}  // namespace qslaw
