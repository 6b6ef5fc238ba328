#include "eval/scienceqa_scoring.h"

#include <cstdlib>
#include <functional>

#include "core/error.h"
#include "eval/accuracy.h"

namespace qslaw {
namespace {

constexpr char kLastLetter = 'E';

bool is_choice_letter(char c) {
  return c >= 'A' && c <= kLastLetter;
}

// Letters of all matches of "The answer is ([A-Z])." where the dot is any character but a line break.
std::vector<char> find_sentences(const std::string& text) {
  static const std::string sentence = "The answer is ";
  std::vector<char> letters;
  for (size_t at = text.find(sentence); at != std::string::npos;) {
    const size_t letter = at + sentence.size();
    const bool match =
        letter + 1 < text.size() && text[letter] >= 'A' && text[letter] <= 'Z' && text[letter + 1] != '\n';
    if (match) letters.push_back(text[letter]);
    at = text.find(sentence, match ? letter + 2 : at + 1);
  }
  return letters;
}

int64_t index_of(char letter, size_t choices) {
  const int64_t index = letter - 'A';
  return is_choice_letter(letter) && index < static_cast<int64_t>(choices) ? index : kOutOfRange;
}

// A column of the table and which problems belong to it.
struct Subset {
  const char* name;
  std::function<bool(const ScienceQaProblem&)> holds;
};

int grade_number(const std::string& grade) {
  return std::atoi(grade.c_str() + std::min<size_t>(5, grade.size()));
}

const std::vector<Subset>& subsets() {
  using Problem = const ScienceQaProblem&;
  static const std::vector<Subset> list = {
      {"NAT", [](Problem p) { return p.subject == "natural science"; }},
      {"SOC", [](Problem p) { return p.subject == "social science"; }},
      {"LAN", [](Problem p) { return p.subject == "language science"; }},
      {"TXT", [](Problem p) { return !p.hint.empty(); }},
      {"IMG", [](Problem p) { return !p.picture.empty(); }},
      {"NO", [](Problem p) { return p.hint.empty() && p.picture.empty(); }},
      {"G1-6", [](Problem p) { return grade_number(p.grade) >= 1 && grade_number(p.grade) <= 6; }},
      {"G7-12", [](Problem p) { return grade_number(p.grade) >= 7 && grade_number(p.grade) <= 12; }},
  };
  return list;
}

// In percent, of the problems that belong to it. scores: one for each problem.
nlohmann::json subset_percent(const Subset& subset, const std::vector<ScienceQaProblem>& problems,
                              const std::vector<double>& scores) {
  std::vector<double> own;
  for (size_t i = 0; i < problems.size(); ++i) {
    if (subset.holds(problems[i])) own.push_back(scores[i]);
  }
  return mean_percent(own);
}

}  // namespace

int64_t parse_scienceqa_answer(const std::string& text, size_t choices) {
  if (text.size() == 1 && is_choice_letter(text[0])) return index_of(text[0], choices);
  if (text.size() >= 3 && is_choice_letter(text[0]) && text.compare(1, 2, ". ") == 0)
    return index_of(text[0], choices);
  const std::vector<char> letters = find_sentences(text);
  return letters.size() == 1 ? index_of(letters[0], choices) : kUnparsed;
}

nlohmann::json score_scienceqa(const std::vector<ScienceQaProblem>& problems,
                               const std::map<std::string, ScienceQaAnswer>& answers, uint64_t seed) {
  std::vector<double> scores;
  int64_t unparsed = 0, missing = 0;
  for (const ScienceQaProblem& problem : problems) {
    const auto found = answers.find(problem.id);
    const bool absent = found == answers.end() || found->second.missing;
    const int64_t parsed =
        absent ? kUnparsed : parse_scienceqa_answer(found->second.text, problem.choices.size());
    missing += absent;
    unparsed += !absent && parsed == kUnparsed;
    scores.push_back(parsed == problem.answer ? 1.0 : 0.0);
  }
  nlohmann::json result = {{"n", problems.size()}, {"unparsed", unparsed}, {"missing", missing}};
  add_accuracy(result, "accuracy", scores, seed);
  for (const Subset& subset : subsets())
    result[subset.name] = subset_percent(subset, problems, scores);
  return result;
}

}  // namespace qslaw
