// A question of a published picture benchmark, whichever file format it came from.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace qslaw {

struct BenchmarkQuestion {
  std::string id;                 // unique within the benchmark
  std::string question;           // as published
  std::string text;               // as asked: with choices and instruction, without "<image>"
  std::filesystem::path picture;  // empty where picture_base64 is set
  std::shared_ptr<const std::string> picture_base64;  // picture file in the question file itself
  std::vector<std::string> answers;  // the right one, or one per annotator; empty where they are not public
  std::vector<std::string> choices;  // texts of A, B, ...; empty for an open question
  std::vector<std::string> groups;   // tasks, types or categories with an accuracy of their own
  std::string unit;                  // questions with the same one count together; empty: each alone
  std::string split;                 // of the data set, where its file names one
  std::filesystem::path file;        // that it was read from
  std::filesystem::path annotation;  // that its answer was read from, where a folder of many is given apart
};

/// "A" for 0, "B" for 1, ...
inline std::string choice_letter(size_t index) {
  return std::string(1, static_cast<char>('A' + index));
}

}  // namespace qslaw
