// One process at a time.
#pragma once
#include <filesystem>

namespace qslaw {

/// A lock on a file that exists for this alone: made where it is missing, removed by the holder at its end.
/// The system lets go of it with the process, however that ends, so that what a kill leaves is an empty file
/// that stops nobody.
class FileLock {
 public:
  /// Does not wait. UserError when the file cannot be made. Where the file system knows no locks it is held
  /// all the same, after a warning.
  explicit FileLock(std::filesystem::path file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// False when somebody else holds it.
  bool held() const { return held_; }

 private:
  bool lock();

  std::filesystem::path file_;
  int descriptor_ = -1;
  bool held_ = false;
};

}  // namespace qslaw
