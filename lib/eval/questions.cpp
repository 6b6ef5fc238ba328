#include "eval/questions.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/whitespace.h"

namespace qslaw {
namespace {

// Split at the first learned token: the prompt, and the answer up to its end token.
Question split_sample(const Sample& sample, const Tokenizer& tokenizer) {
  size_t begin = 0;
  while (sample.labels[begin] == kIgnoreLabel)
    ++begin;
  size_t end = begin;
  while (end < sample.labels.size() && sample.labels[end] != kIgnoreLabel &&
         sample.labels[end] != tokenizer.eos_id()) {
    ++end;
  }
  const auto at = [&sample](size_t i) { return sample.ids.begin() + static_cast<std::ptrdiff_t>(i); };
  Question question;
  Sample& prompt = question.prompt.sample;
  prompt = sample;
  prompt.ids.resize(begin);
  prompt.labels.assign(begin, kIgnoreLabel);
  // Those of later questions go.
  const auto shown = std::count(prompt.ids.begin(), prompt.ids.end(), kImagePlaceholder);
  prompt.pictures.resize(static_cast<size_t>(shown));
  question.answer = strip(tokenizer.decode({at(begin), at(end)}));
  return question;
}

}  // namespace

Question QuestionReader::at(int64_t index) {
  Question question = split_sample(dataset_.at(index), tokenizer_);
  const std::string& id = question.prompt.sample.id;
  const std::string where = concat(file_.string(), ", sample ", index, " (id ", id, ")");
  require(!question.answer.empty(), where, "expected an answer to compare with, got a blank one");
  const int64_t first = first_.emplace(id, index).first->second;
  require(first == index, where, "expected an id of its own, got that of sample ", first);
  return question;
}

}  // namespace qslaw
