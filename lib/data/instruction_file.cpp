#include "data/instruction_file.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "core/error.h"
#include "core/json_text.h"
#include "data/fast_json.h"
#include "data/json_scan.h"
#include "data/text_file.h"
#include "io/mapped_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr size_t kMostBytes = std::numeric_limits<uint32_t>::max();  // of a sample

// A sample's number behind the hash of its id.
using NumberedIds = std::vector<std::pair<size_t, int64_t>>;

RepeatedIds find_repeated(NumberedIds ids) {
  std::sort(ids.begin(), ids.end());
  RepeatedIds repeated;
  for (size_t i = 1; i < ids.size(); ++i) {
    if (ids[i].first != ids[i - 1].first) continue;
    if (repeated.count == 0 || ids[i].second < repeated.first) {
      repeated.first = ids[i].second;
      repeated.as = ids[i - 1].second;
    }
    repeated.count += 1;
  }
  return repeated;
}

}  // namespace

/// Goes through the mapped file from its beginning to its end.
class InstructionFile::Indexer {
 public:
  Indexer(const fs::path& path, int64_t limit)
      : path_(path),
        mapped_(path, "data"),
        pages_(mapped_),
        text_(without_mark(mapped_.bytes(), path)),
        limit_(limit > 0 ? static_cast<size_t>(limit) : std::numeric_limits<size_t>::max()) {}

  std::vector<Range> find(RepeatedIds& repeated) {
    const size_t first = skip_blanks(text_, 0);
    const bool empty = first == text_.size();
    require(!empty && (text_[first] == '[' || text_[first] == '{'), "data",
            "expected a JSON array of samples, or one JSON object per line, in ", path_.string(), ", got ",
            empty                 ? "an empty file"
            : text_[first] == '<' ? "a page of HTML or XML"
                                  : "something else");
    text_[first] == '[' ? find_in_array(first + 1) : find_in_lines();
    require(!samples_.empty(), "data", "expected at least one sample in ", path_.string(), ", got none");
    repeated = find_repeated(std::move(ids_));
    return std::move(samples_);
  }

 private:
  bool full() const { return samples_.size() == limit_; }

  // `at` is behind the opening bracket.
  void find_in_array(size_t at) {
    at = skip_blanks(text_, at);
    bool more = text_.substr(at, 1) != "]";
    while (more) {
      const size_t end = end_of_json_value(text_, at);
      // Where no value can begin the fault is this byte.
      add(at, end == at ? at + 1 : end, 0);
      if (full()) return;
      at = skip_blanks(text_, end);
      more = text_.substr(at, 1) == ",";
      if (more) at = skip_blanks(text_, at + 1);
    }
    if (text_.substr(at, 1) != "]") fail_at(at, unexpected_at(text_, at));
    at = skip_blanks(text_, at + 1);
    if (at != text_.size()) fail_at(at, unexpected_at(text_, at));
  }

  void find_in_lines() {
    size_t line = 1;
    for (size_t begin = 0, end; begin < text_.size() && !full(); begin = end + 1, ++line) {
      end = std::min(text_.find('\n', begin), text_.size());
      const size_t first = skip_blanks(text_, begin);
      if (first < end) add(first, end, line);
    }
  }

  // The sample from `begin` to `end` - 1; a text that ends within it, where `end` is behind the text.
  void add(size_t begin, size_t end, size_t line) {
    const std::string_view sample = text_.substr(begin, end - begin);
    if (end > text_.size() || !json_.accepts(sample)) {
      require_sound(begin, sample, line);
    } else if (const auto id = json_.id_hash()) {
      ids_.emplace_back(*id, samples_.size());
    }
    require(sample.size() <= kMostBytes && line <= kMostBytes, "data",
            "expected samples and lines below 4 GiB in ", path_.string(), ", got more");
    samples_.push_back({begin + static_cast<size_t>(text_.data() - mapped_.data()),
                        static_cast<uint32_t>(sample.size()), static_cast<uint32_t>(line)});
    pages_.passed(begin);
  }

  void require_sound(size_t begin, std::string_view sample, size_t line) const {
    const auto fault = find_json_fault(sample);
    if (!fault) return;
    const size_t offset = begin + fault->offset;
    // A line ends the text; in an array it goes on behind the sample.
    const bool cut = line == 0 && fault->offset >= sample.size();
    fail_at(offset, cut ? unexpected_at(text_, offset) : fault->what);
  }

  [[noreturn]] void fail_at(size_t offset, const std::string& what) const {
    require_utf8(text_, path_);
    fail("data", "expected valid JSON in ", path_.string(), ", sample ", samples_.size(), ", got ", what,
         " at ", text_position(text_, offset), " (byte ",
         offset + static_cast<size_t>(text_.data() - mapped_.data()), ")");
  }

  const fs::path& path_;
  MappedFile mapped_;
  PassingPages pages_;
  std::string_view text_;
  size_t limit_;
  FastJson json_;
  NumberedIds ids_;
  std::vector<Range> samples_;
};

InstructionFile::InstructionFile(const fs::path& path, int64_t limit)
    : file_(path), samples_(Indexer(path, limit).find(repeated_ids_)) {}

std::string InstructionFile::read(int64_t index) const {
  QSLAW_CHECK(index >= 0 && index < size());
  const Range& range = samples_[static_cast<size_t>(index)];
  return file_.read(range.begin, range.size);
}

}  // namespace qslaw
