#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/random.h"
#include "eval/accuracy.h"
#include "eval/answer_scoring.h"
#include "eval/interval.h"

namespace qslaw {
namespace {

using nlohmann::json;
using Scores = std::vector<double>;

json counts(const std::vector<JudgedQuestion>& judged) {
  int64_t unparsed = 0, missing = 0;
  for (const JudgedQuestion& one : judged) {
    missing += one.missing;
    unparsed += !one.missing && !one.judgment.is_read;
  }
  return {{"n", judged.size()}, {"unparsed", unparsed}, {"missing", missing}};
}

// Of the questions whose answers are public.
std::vector<JudgedQuestion> scored(const std::vector<JudgedQuestion>& judged) {
  std::vector<JudgedQuestion> out;
  std::copy_if(judged.begin(), judged.end(), std::back_inserter(out),
               [](const JudgedQuestion& one) { return !one.question->answers.empty(); });
  return out;
}

Scores scores_of(const std::vector<JudgedQuestion>& judged) {
  Scores scores;
  for (const JudgedQuestion& one : judged)
    scores.push_back(one.judgment.score);
  return scores;
}

void add_groups(json& result, const std::vector<JudgedQuestion>& judged) {
  std::map<std::string, Scores> groups;
  for (const JudgedQuestion& one : judged) {
    for (const std::string& group : one.question->groups)
      groups[group].push_back(one.judgment.score);
  }
  for (const auto& [group, scores] : groups)
    result[group] = mean_percent(scores);
}

// One for each unit, in the order of their first questions, right when all its questions are.
std::vector<JudgedQuestion> units_of(const std::vector<JudgedQuestion>& judged) {
  std::vector<JudgedQuestion> units;
  std::map<std::string, size_t> places;
  for (const JudgedQuestion& one : judged) {
    const auto [place, is_new] = places.emplace(one.question->unit, units.size());
    if (is_new) {
      units.push_back(one);
    } else {
      double& score = units[place->second].judgment.score;
      score = std::min(score, one.judgment.score);
    }
  }
  return units;
}

// A category's answers against its labels.
struct YesNoCounts {
  int64_t true_yes = 0, false_yes = 0, true_no = 0, false_no = 0;

  void add(const JudgedQuestion& one) {
    const bool right = one.judgment.score > 0.0, label_is_yes = one.question->answers[0] == "yes";
    ++(label_is_yes ? (right ? true_yes : false_no) : (right ? true_no : false_yes));
  }
  static json share(int64_t part, int64_t whole) {
    return percent_of(static_cast<double>(part), static_cast<double>(whole));
  }
  int64_t total() const { return true_yes + false_yes + true_no + false_no; }
  json accuracy() const { return share(true_yes + true_no, total()); }
  json precision() const { return share(true_yes, true_yes + false_yes); }
  json recall() const { return share(true_yes, true_yes + false_no); }
  // 2PR / (P + R), and 0 where both are 0.
  json f1() const { return share(2 * true_yes, 2 * true_yes + false_yes + false_no); }
  json yes_ratio() const { return share(true_yes + false_yes, total()); }
};

// What an answer adds to its category's F1, which is 2 TP / (2 TP + FP + FN).
RatioPart f1_part(const JudgedQuestion& one) {
  const bool right = one.judgment.score > 0.0, label_is_yes = one.question->answers[0] == "yes";
  if (!right) return {0.0, 1.0};
  return label_is_yes ? RatioPart{2.0, 2.0} : RatioPart{0.0, 0.0};
}

struct PopeCategory {
  YesNoCounts answers;
  std::vector<RatioPart> f1_parts;
};

std::map<std::string, PopeCategory> pope_categories(const std::vector<JudgedQuestion>& judged) {
  std::map<std::string, PopeCategory> categories;
  for (const JudgedQuestion& one : judged) {
    PopeCategory& category = categories[one.question->groups.at(0)];
    category.answers.add(one);
    category.f1_parts.push_back(f1_part(one));
  }
  return categories;
}

void add_category(json& result, const std::string& name, const YesNoCounts& answers) {
  result[name + "_accuracy"] = answers.accuracy();
  result[name + "_precision"] = answers.precision();
  result[name + "_recall"] = answers.recall();
  result[name + "_f1"] = answers.f1();
  result[name + "_yes_ratio"] = answers.yes_ratio();
}

// A subtask's pictures: the score of each, in MME's points, and its right answers.
struct Subtask {
  Scores points;  // of a picture: 100 * (share of right answers + all are right)
  Scores right, all_right;
};

std::map<std::string, Subtask> subtasks_of(const std::vector<JudgedQuestion>& judged) {
  std::map<std::string, std::map<std::string, Scores>> pictures;
  for (const JudgedQuestion& one : judged)
    pictures[one.question->groups.at(0)][one.question->unit].push_back(one.judgment.score);
  std::map<std::string, Subtask> subtasks;
  for (const auto& [name, units] : pictures) {
    Subtask& subtask = subtasks[name];
    for (const auto& [unit, scores] : units) {
      const double share = mean_percent(scores).get<double>() / 100.0;
      const double all = *std::min_element(scores.begin(), scores.end());
      subtask.right.push_back(share);
      subtask.all_right.push_back(all);
      subtask.points.push_back(100.0 * (share + all));
    }
  }
  return subtasks;
}

// The sum of the scores of those of `names` that were asked, with its interval.
void add_mme_total(json& result, const std::string& key, const std::vector<std::string>& names,
                   const std::map<std::string, Subtask>& subtasks, uint64_t seed) {
  std::vector<Scores> strata;
  double sum = 0.0;
  for (const std::string& name : names) {
    const auto found = subtasks.find(name);
    if (found == subtasks.end()) continue;
    strata.push_back(found->second.points);
    sum += result.at(name).get<double>();
  }
  result[key] = strata.empty() ? json() : json(sum);
  add_interval(result, key, bootstrap_interval(strata, seed));
}

}  // namespace

json summarize_scores(const std::vector<JudgedQuestion>& judged, uint64_t seed) {
  const std::vector<JudgedQuestion> known = scored(judged);
  json result = counts(judged);
  add_accuracy(result, "accuracy", scores_of(known), seed);
  add_groups(result, known);
  return result;
}

json summarize_units(const std::vector<JudgedQuestion>& judged, uint64_t seed) {
  const std::vector<JudgedQuestion> known = scored(judged), units = units_of(known);
  json result = counts(judged);
  result["units"] = units.size();
  result["question_accuracy"] = mean_percent(scores_of(known));
  add_accuracy(result, "accuracy", scores_of(units), seed);
  add_groups(result, units);
  return result;
}

json summarize_pope(const std::vector<JudgedQuestion>& judged, uint64_t seed) {
  json result = counts(judged);
  add_accuracy(result, "accuracy", scores_of(judged), seed);
  Scores f1;
  std::vector<std::vector<RatioPart>> strata;
  for (const auto& [name, category] : pope_categories(judged)) {
    add_category(result, name, category.answers);
    const json own_f1 = category.answers.f1();
    if (own_f1.is_null()) continue;
    f1.push_back(own_f1.get<double>() / 100.0);
    strata.push_back(category.f1_parts);
  }
  result["f1"] = mean_percent(f1);
  add_interval(result, "f1", bootstrap_ratio_interval(strata, mix_seed(seed, 1)), 100.0);
  return result;
}

json summarize_mme(const std::vector<JudgedQuestion>& judged, uint64_t seed) {
  static const std::vector<std::string> perception = {"existence", "count", "position", "color",   "posters",
                                                      "celebrity", "scene", "landmark", "artwork", "OCR"};
  static const std::vector<std::string> cognition = {"commonsense_reasoning", "numerical_calculation",
                                                     "text_translation", "code_reasoning"};
  json result = counts(judged);
  const std::map<std::string, Subtask> subtasks = subtasks_of(judged);
  for (const auto& [name, subtask] : subtasks) {
    const json accuracy = mean_percent(subtask.right), accuracy_plus = mean_percent(subtask.all_right);
    result[name + "_accuracy"] = accuracy;
    result[name + "_accuracy_plus"] = accuracy_plus;
    result[name] = accuracy.get<double>() + accuracy_plus.get<double>();
  }
  add_mme_total(result, "perception", perception, subtasks, mix_seed(seed, 1));
  add_mme_total(result, "cognition", cognition, subtasks, mix_seed(seed, 2));
  return result;
}

}  // namespace qslaw
