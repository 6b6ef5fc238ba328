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
  const auto at = [](const std::vector<int64_t>& ids, size_t i) {
    return ids.begin() + static_cast<std::ptrdiff_t>(i);
  };
  Question question;
  question.prompt.sample.id = sample.id;
  question.prompt.sample.ids.assign(sample.ids.begin(), at(sample.ids, begin));
  question.prompt.sample.labels.assign(begin, kIgnoreLabel);
  question.prompt.sample.asked = sample.asked;
  question.prompt.sample.move_image_first = sample.move_image_first;
  question.prompt.sample.where = sample.where;
  question.prompt.sample.cut_from = sample.cut_from;
  question.prompt.sample.turn_left_out = sample.turn_left_out;
  question.prompt.sample.answer_empty = sample.answer_empty;
  question.prompt.sample.image_as_text = sample.image_as_text;
  // Those of later questions go.
  const auto shown = std::count(sample.ids.begin(), at(sample.ids, begin), kImagePlaceholder);
  question.prompt.sample.pictures.assign(sample.pictures.begin(), sample.pictures.begin() + shown);
  question.answer = strip(tokenizer.decode({at(sample.ids, begin), at(sample.ids, end)}));
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
