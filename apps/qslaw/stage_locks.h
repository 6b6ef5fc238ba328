// Keeps processes from changing what another one works in or on.
#pragma once
#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include "core/file_lock.h"
#include "experiment.h"

namespace qslaw {

/// A folder's lock, beside where its links lead: one for all of its names.
std::filesystem::path lock_file(const std::filesystem::path& folder);

/// UserError when another process works in the folder of one of these stages, or of one that they build on.
/// Only a look, so that what a process at work has not finished is not taken for an unfinished run.
void require_no_other_process(const Experiment& experiment, const std::vector<std::string>& stages);

/// What a stage holds while it runs: each folder's lock lies beside it, as `<stage>.lock`, because the folder
/// is renamed when a result is kept aside.
class StageLocks {
 public:
  /// Shared locks of what the stage builds on: the recipe's own stages before it and `model.stages`.
  /// UserError while another process writes one of them.
  StageLocks(const Experiment& experiment, std::string stage);

  /// The stage's own: exclusive to write it, shared where it is complete. UserError when it cannot be had.
  void take_own(LockKind kind);

 private:
  const Experiment& experiment_;
  std::string stage_;
  std::list<FileLock> locks_;
};

/// UserError of a folder that another process has changed between two looks.
[[noreturn]] void fail_in_use(const std::string& stage, const std::filesystem::path& folder);

}  // namespace qslaw
