#include "export/staged_folder.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/error.h"
#include "core/files.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

void remove_folder(const fs::path& path) {
  std::error_code reason;
  fs::remove_all(path, reason);
  if (reason) fail("export", "cannot remove ", path.string(), ": ", reason.message());
}

fs::path staged_name(const fs::path& final_path) {
  return final_path.string() + ".tmp";
}

// Of a folder that is being replaced where two cannot be swapped.
fs::path old_name(const fs::path& final_path) {
  return final_path.string() + ".old";
}

// Swaps two folders in one step, where the file system can.
bool exchange(const fs::path& a, const fs::path& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

}  // namespace

void remove_with_leftovers(const fs::path& final_path) {
  for (const fs::path& path : {final_path, staged_name(final_path), old_name(final_path)})
    remove_folder(path);
}

StagedFolder::StagedFolder(fs::path final_path)
    : final_(std::move(final_path)), staged_(staged_name(final_)) {
  require(!fs::exists(final_) || fs::is_directory(final_), "export",
          "expected a folder, got a file: ", final_.string());
  remove_folder(staged_);
  make_folder(staged_);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  fs::remove_all(staged_, ignored);
}

void StagedFolder::publish() {
  if (!fs::exists(final_)) {
    rename_durably(staged_, final_);
    return;
  }
  if (!exchange(staged_, final_)) {
    const fs::path old = old_name(final_);
    remove_folder(old);
    rename_durably(final_, old);
    rename_durably(staged_, final_);
    remove_folder(old);
  }
  remove_folder(staged_);  // holds the old files after an exchange
}

}  // namespace qslaw
