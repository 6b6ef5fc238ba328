// A folder that appears under its name only when it is complete.
#pragma once
#include <filesystem>

namespace qslaw {

/// Removes what is under that name, and what killed writers of it left beside it. UserError when it cannot.
void remove_with_leftovers(const std::filesystem::path& final_path);

/// Files are written to path() ("NAME.tmp"); publish() puts them in place of whatever NAME held. Without
/// publish() nothing is left behind and NAME is untouched; a killed process leaves NAME.tmp, which the next
/// one clears.
class StagedFolder {
 public:
  /// UserError when `final_path` is a file or the folder cannot be made.
  explicit StagedFolder(std::filesystem::path final_path);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::filesystem::path& path() const { return staged_; }
  /// The old folder, if any, is removed after the new one has its name.
  void publish();

 private:
  std::filesystem::path final_, staged_;
};

}  // namespace qslaw
