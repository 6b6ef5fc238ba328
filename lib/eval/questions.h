// Questions of `exact_match`: a data set's samples, each cut at its first answer.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "data/batch.h"
#include "data/dataset.h"

namespace qslaw {

struct Question {
  LoadedSample prompt;  // pictures not yet decoded
  std::string answer;   // without surrounding white space
};

class QuestionReader {
 public:
  /// `file` is where the data set comes from, for messages. Data set and tokenizer are not owned.
  QuestionReader(const Dataset& dataset, const Tokenizer& tokenizer, std::filesystem::path file)
      : dataset_(dataset), tokenizer_(tokenizer), file_(std::move(file)) {}

  /// UserError as Dataset::at's; also for a blank answer, and for an id that another sample read before has:
  /// predictions are told apart by it.
  Question at(int64_t index);

 private:
  const Dataset& dataset_;
  const Tokenizer& tokenizer_;
  std::filesystem::path file_;
  std::map<std::string, int64_t> first_;  // sample that has an id
};

}  // namespace qslaw
