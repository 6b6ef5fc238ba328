#include "core/error.h"
#include "core/whitespace.h"
#include "eval/answer_scoring.h"
#include "eval/answer_text.h"

namespace qslaw {
namespace {

bool is_right(const BenchmarkQuestion& question, const std::string& parsed) {
  return !question.answers.empty() && question.answers[0] == parsed;
}

std::vector<std::string> split_at_spaces(const std::string& text) {
  std::vector<std::string> words;
  size_t begin = 0;
  for (size_t end; (end = text.find(' ', begin)) != text.npos; begin = end + 1)
    words.push_back(text.substr(begin, end - begin));
  words.push_back(text.substr(begin));
  return words;
}

bool holds(const std::vector<std::string>& words, const std::string& word) {
  for (const std::string& candidate : words) {
    if (candidate == word) return true;
  }
  return false;
}

std::optional<size_t> only_letter(const std::string& text, size_t choices) {
  constexpr std::string_view kMarks = ".()[],:;!*#{}";
  constexpr size_t kMostWordsWithA = 3;
  std::string spaced = text;
  for (char& c : spaced) {
    if (kMarks.find(c) != kMarks.npos) c = ' ';
  }
  const std::vector<std::string> words = split_words(spaced);
  std::vector<size_t> found;
  for (size_t i = 0; i < choices; ++i) {
    if (holds(words, choice_letter(i))) found.push_back(i);
  }
  const bool may_be_article = holds(words, "A") && words.size() > kMostWordsWithA;
  if (found.size() != 1 || may_be_article) return std::nullopt;
  return found[0];
}

std::optional<size_t> only_text(const std::string& text, const std::vector<std::string>& choices) {
  const std::string lower = lower_case(text);
  std::vector<size_t> found;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (lower.find(lower_case(choices[i])) != lower.npos) found.push_back(i);
  }
  return found.size() == 1 ? std::optional(found[0]) : std::nullopt;
}

Judgment judged_choice(const BenchmarkQuestion& question, std::optional<size_t> choice) {
  if (!choice) return {"", 0.0, false};
  const std::string letter = choice_letter(*choice);
  return {letter, is_right(question, letter) ? 1.0 : 0.0, true};
}

}  // namespace

Judgment judge_pope(const BenchmarkQuestion& question, const std::string& text) {
  const auto words = split_at_spaces(replace_all(text.substr(0, text.find('.')), ",", ""));
  const bool no = holds(words, "No") || holds(words, "not") || holds(words, "no");
  const std::string parsed = no ? "no" : "yes";
  const bool says_yes = lower_case(text).find("yes") != text.npos;
  return {parsed, is_right(question, parsed) ? 1.0 : 0.0, no || says_yes};
}

Judgment judge_mme(const BenchmarkQuestion& question, const std::string& text) {
  constexpr size_t kPrefix = 4;
  const std::string prefix = lower_case(text).substr(0, kPrefix);
  const bool yes = prefix.find("yes") != prefix.npos, no = prefix.find("no") != prefix.npos;
  if (!yes && !no) return {"", 0.0, false};
  const std::string parsed = yes ? "yes" : "no";
  return {parsed, is_right(question, parsed) ? 1.0 : 0.0, true};
}

std::optional<size_t> infer_choice(const std::string& text, const std::vector<std::string>& choices) {
  const std::optional<size_t> letter = only_letter(text, choices.size());
  return letter ? letter : only_text(text, choices);
}

Judgment judge_mmbench(const BenchmarkQuestion& question, const std::string& text) {
  return judged_choice(question, infer_choice(text, question.choices));
}

Judgment judge_seed_bench(const BenchmarkQuestion& question, const std::string& text) {
  for (size_t i = 0; i < question.choices.size(); ++i) {
    if (text == choice_letter(i)) return judged_choice(question, i);
  }
  return judged_choice(question, std::nullopt);
}

}  // namespace qslaw
