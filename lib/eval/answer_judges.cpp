#include <algorithm>

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

// VLMEvalKit's letter for a refusal, which no choice has.
constexpr const char* kNoChoice = "Z";

bool is_refusal(const std::string& text) {
  for (const char* phrase : {"Sorry, I can't help with images of people yet.", "I can't process this file.",
                             "I'm sorry, but without the image provided", "Cannot determine the answer"}) {
    if (text.find(phrase) != text.npos) return true;
  }
  return false;
}

// The letter behind the first "answer is", in any case, which asterisks may precede and anything may follow.
std::string letter_behind_answer_is(const std::string& text, size_t choices) {
  const std::vector<std::string> words = split_words(lower_case(text));
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    if (!words[i].ends_with("answer") || words[i + 1] != "is") continue;
    const size_t at = words[i + 2].find_first_not_of('*');
    if (at == std::string::npos || words[i + 2][at] < 'a' || words[i + 2][at] > 'd') continue;
    const auto choice = static_cast<size_t>(words[i + 2][at] - 'a');
    return choice < choices ? choice_letter(choice) : "";
  }
  return "";
}

// Of a letter that stands alone as a word.
std::string letter_alone(const std::string& text, size_t choices) {
  constexpr std::string_view kMarks = ".()[],:;!*#{}";
  constexpr size_t kFromTheEnd = 4;
  std::string spaced = text;
  for (char& c : spaced) {
    if (kMarks.find(c) != kMarks.npos) c = ' ';
  }
  const std::vector<std::string> words = split_words(spaced);
  std::vector<std::string> found;
  for (size_t i = 0; i < choices; ++i) {
    if (holds(words, choice_letter(i))) found.push_back(choice_letter(i));
  }
  if (found.empty() && holds(words, kNoChoice)) return kNoChoice;
  if (found.size() != 1) return "";
  const auto place = static_cast<size_t>(std::find(words.begin(), words.end(), found[0]) - words.begin());
  return place + kFromTheEnd >= words.size() ? found[0] : "";
}

std::string only_text(const std::string& text, const std::vector<std::string>& choices) {
  const std::string lower = lower_case(text);
  size_t characters = 0;
  std::vector<size_t> found;
  for (size_t i = 0; i < choices.size(); ++i) {
    characters += count_characters(choices[i]);
    if (lower.find(lower_case(choices[i])) != lower.npos) found.push_back(i);
  }
  return found.size() == 1 && count_characters(lower) <= 2 * characters ? choice_letter(found[0]) : "";
}

Judgment judged_choice(const BenchmarkQuestion& question, const std::string& letter) {
  return {letter, is_right(question, letter) ? 1.0 : 0.0, !letter.empty()};
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
  const std::string prefix = first_characters(lower_case(text), kPrefix);
  const bool yes = prefix.find("yes") != prefix.npos, no = prefix.find("no") != prefix.npos;
  if (!yes && !no) return {"", 0.0, false};
  const std::string parsed = yes ? "yes" : "no";
  return {parsed, is_right(question, parsed) ? 1.0 : 0.0, true};
}

std::string infer_choice(const std::string& text, const std::vector<std::string>& choices) {
  if (text.find("Failed to obtain answer via API") != text.npos) return only_text(text, choices);
  if (is_refusal(text)) return kNoChoice;
  std::string letter = letter_alone(text, choices.size());
  if (letter.empty()) letter = letter_behind_answer_is(text, choices.size());
  return letter.empty() ? only_text(text, choices) : letter;
}

Judgment judge_mmbench(const BenchmarkQuestion& question, const std::string& text) {
  return judged_choice(question, infer_choice(text, question.choices));
}

Judgment judge_seed_bench(const BenchmarkQuestion& question, const std::string& text) {
  for (size_t i = 0; i < question.choices.size(); ++i) {
    if (text == choice_letter(i)) return judged_choice(question, text);
  }
  return judged_choice(question, "");
}

}  // namespace qslaw
