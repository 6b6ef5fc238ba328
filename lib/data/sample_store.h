// Many conversations in little memory: all texts in one string, eight bytes of bookkeeping per text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/conversation.h"

namespace qslaw {

/// A conversation as its file has it, not yet encoded.
struct StoredSample {
  std::string id;
  std::vector<std::string> pictures;  // names as written
  std::vector<Turn> turns;
  std::string problem;  // why it cannot be used; empty when it can
  size_t line = 0;      // of the file, from 1; 0 when unknown
};

class SampleStore {
 public:
  void add(const StoredSample& sample);
  StoredSample at(int64_t index) const;
  int64_t size() const { return static_cast<int64_t>(records_.size()); }
  /// Samples with a problem.
  int64_t bad_count() const { return bad_; }

 private:
  struct Record {
    uint64_t first_text;
    uint64_t line;
  };
  void add_text(const std::string& text);
  std::string text_at(size_t number) const;

  std::string bytes_;
  std::vector<uint64_t> ends_;  // of each text in bytes_
  std::vector<Record> records_;
  int64_t bad_ = 0;
};

}  // namespace qslaw
