// What a recipe says of a data set.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace qslaw {

enum class BadSamplePolicy { error, skip };
enum class LongSamplePolicy { cut, skip, error };

struct DataOptions {
  std::string kind;            // llava | text | scienceqa
  std::filesystem::path path;  // llava: .json or .jsonl; text: plain text, or JSON lines with a "text" field
  std::filesystem::path images;           // folder that picture names are relative to
  std::filesystem::path problems;         // scienceqa: problems.json
  std::filesystem::path splits;           // scienceqa: pid_splits.json
  std::string split = "train";            // scienceqa: a key of pid_splits.json
  std::string prompt_format = "QCM-LEA";  // scienceqa: QCM-LEA | CQM-A
  std::optional<std::string> join;        // text: put between records (text_file.h); default: default_join
  std::string windows = "bos";            // text: a name of window_kinds() (text_windows.h)
  int64_t stride = 0;                     // text: tokens from one of the sliding windows to the next
  int64_t limit = 0;                      // samples used, from the start; 0 = all
  int64_t max_length = 2048;              // tokens, after pictures are expanded; text blocks are cut to it
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
  LongSamplePolicy on_long_sample = LongSamplePolicy::cut;  // of conversations longer than max_length
};

/// KeyError (core/key_error.h), its keys below `key` ("tune.data"), for an unknown kind, a file that the kind
/// needs, or a value out of range. Whether files exist is found when they are opened.
void check(const DataOptions& options, const std::string& key);

/// KeyError at `key` unless `name` is a conversation template.
void check_template(const std::string& name, const std::string& key);

}  // namespace qslaw
