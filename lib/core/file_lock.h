// Who may write and who reads, among processes.
#pragma once
#include <filesystem>

namespace qslaw {

/// Exclusive: no other holder. Shared: as many as like, but no exclusive one.
enum class LockKind { exclusive, shared };

/// A lock on a file that exists for this alone: made where it is missing, removed by the last holder at its
/// end. The system lets go of it with the process, however that ends, so that what a kill leaves is an empty
/// file that stops nobody.
class FileLock {
 public:
  /// Gives up after a second, by when others' looks at the lock are over. UserError
  /// when the file cannot be made; a shared lock in a folder that may not be written is held without one.
  /// Where the file system knows no locks it is held all the same, after a warning.
  explicit FileLock(std::filesystem::path file, LockKind kind = LockKind::exclusive);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// False when somebody else's lock forbids it.
  bool held() const { return held_; }

 private:
  bool open();
  bool lock();
  bool is_last_holder() const;

  std::filesystem::path file_;
  LockKind kind_;
  int descriptor_ = -1;  // -1: held without a file
  bool held_ = false;
};

/// The file of a name, made where it is missing, for one writer at a time: who comes second waits. What it
/// was left with stays in it. Its holder may rename or remove it, and then who waited makes the name anew.
/// Where the file system knows no locks nobody waits.
class OwnFile {
 public:
  /// UserError when the file cannot be made.
  explicit OwnFile(const std::filesystem::path& file);
  ~OwnFile();
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

 private:
  int descriptor_ = -1;
};

/// Whether somebody holds the lock of that name exclusively. Makes no file.
bool is_exclusively_locked(const std::filesystem::path& file);

}  // namespace qslaw
