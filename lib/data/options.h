// What a recipe says of a data set.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace qslaw {

enum class BadSamplePolicy { error, skip };

struct DataOptions {
  std::string kind;                // llava | text | scienceqa
  std::filesystem::path path;      // llava: .json or .jsonl; text: plain text, or .jsonl with a "text" field
  std::filesystem::path images;    // folder that picture names are relative to
  std::filesystem::path problems;  // scienceqa: problems.json
  std::filesystem::path splits;    // scienceqa: pid_splits.json
  std::string split = "train";     // scienceqa: a key of pid_splits.json
  std::string prompt_format = "QCM-LEA";  // scienceqa: QCM-LEA | CQM-A
  int64_t limit = 0;               // samples used, from the start; 0 = all
  int64_t max_length = 2048;       // tokens, after pictures are expanded; text blocks are cut to it
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
};

}  // namespace qslaw
