// Files of samples of any size: where each lies is found in one pass, and a sample is read when it is needed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/piece_file.h"

namespace qslaw {

/// Ids that several samples of a file have, numbers and the texts of them being the same.
struct RepeatedIds {
  int64_t count = 0;  // samples with the id of one before them
  int64_t first = 0;  // the first of these
  int64_t as = 0;     // the sample before it
};

class InstructionFile {
 public:
  /// Opens a JSON array of samples, or a file with a JSON object per line (UTF-8, with or without a byte
  /// order mark), and looks for the first `limit` samples, 0: for all. UserError when there is none, or for
  /// what is no valid JSON, with file, number of the sample, line, column, byte and reason. What is behind
  /// `limit` samples is not looked at.
  InstructionFile(const std::filesystem::path& path, int64_t limit);

  int64_t size() const { return static_cast<int64_t>(samples_.size()); }
  /// 1-based line of a sample in a file with an object per line; 0 in an array.
  size_t line(int64_t index) const { return samples_[static_cast<size_t>(index)].line; }
  const RepeatedIds& repeated_ids() const { return repeated_ids_; }
  /// A sample's JSON, which is valid. Thread safe. UserError when the file was written to since it was
  /// opened.
  std::string read(int64_t index) const;

 private:
  class Indexer;
  struct Range {
    uint64_t begin;
    uint32_t size;
    uint32_t line;
  };

  PieceFile file_;
  RepeatedIds repeated_ids_;
  std::vector<Range> samples_;
};

}  // namespace qslaw
