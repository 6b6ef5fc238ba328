// A file that is read piece by piece, by several threads, and never whole.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace qslaw {

/// Not mapped: pieces from all over the file would keep it resident, and a file that is cut while it is
/// mapped ends the process by a signal.
class PieceFile {
 public:
  /// UserError when it cannot be opened or is no regular file.
  explicit PieceFile(const std::filesystem::path& path);
  ~PieceFile();
  PieceFile(const PieceFile&) = delete;
  PieceFile& operator=(const PieceFile&) = delete;

  /// Bytes begin..begin + size - 1. Thread safe. UserError when the file was written to since it was opened,
  /// or cannot be read.
  std::string read(uint64_t begin, size_t size) const;

 private:
  struct stat status() const;

  std::filesystem::path path_;
  int descriptor_;
  struct stat opened_ {};
};

}  // namespace qslaw
