// tests/fixtures/eval/answer_judges.json: what LLaVA's eval_pope.py, MME's calculation.py, VLMEvalKit's
// matching and LLaVA's convert_seed_for_submission.py read from a text. Sums are worked out by hand.
#include "eval/answer_scoring.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "eval/interval.h"
#include "io/json.h"

using namespace qslaw;
using nlohmann::json;

namespace {

json golden(const char* kind) {
  const json cases = read_json(std::string(QSLAW_FIXTURES) + "/eval/answer_judges.json").at(kind);
  CHECK(cases.size() >= 30);
  return cases;
}

// Questions that stay where they are, and whether each was answered right.
class Answered {
 public:
  void add(const std::string& answer, bool right, std::vector<std::string> groups,
           const std::string& unit = "") {
    BenchmarkQuestion question;
    question.id = std::to_string(questions_.size());
    question.answers = {answer};
    question.groups = std::move(groups);
    question.unit = unit;
    questions_.push_back(question);
    scores_.push_back(right ? 1.0 : 0.0);
  }
  std::vector<JudgedQuestion> judged() const {
    std::vector<JudgedQuestion> all;
    for (size_t i = 0; i < questions_.size(); ++i)
      all.push_back({&questions_[i], "", {"x", scores_[i], true}, false});
    return all;
  }

 private:
  std::vector<BenchmarkQuestion> questions_;
  std::vector<double> scores_;
};

}  // namespace

TEST_CASE("yes and no are read as by the published scorers of POPE and MME") {
  using Judge = decltype(&judge_pope);
  for (const auto& [kind, judge] :
       std::vector<std::pair<const char*, Judge>>{{"pope", judge_pope}, {"mme", judge_mme}}) {
    for (const json& one : golden(kind)) {
      INFO(kind << " " << one.dump());
      BenchmarkQuestion question;
      question.answers = {"no"};
      const Judgment judgment = judge(question, one.at(0));
      CHECK(judgment.parsed == one.at(1));
      CHECK(judgment.score == (one.at(1) == "no" ? 1.0 : 0.0));
    }
  }
  BenchmarkQuestion question;
  question.answers = {"yes"};
  CHECK(judge_pope(question, "maybe").score == 1.0);  // POPE's rule: what is not no is yes
  CHECK_FALSE(judge_pope(question, "maybe").is_read);
  CHECK(judge_pope(question, "YES").is_read);
  CHECK_FALSE(judge_mme(question, "maybe").is_read);
}

TEST_CASE("choices are read as by VLMEvalKit's matching and LLaVA's conversion") {
  const std::vector<std::string> texts = {"cat", "dog", "fish", "bird"};
  for (const json& one : golden("mmbench")) {
    INFO(one.dump());
    BenchmarkQuestion question;
    question.choices.assign(texts.begin(), texts.begin() + one.at(1).get<int>());
    question.answers = {"B"};
    const Judgment judgment = judge_mmbench(question, one.at(0));
    CHECK(judgment.parsed == one.at(2));
    CHECK(judgment.is_read == (one.at(2) != ""));
    CHECK(judgment.score == (one.at(2) == "B" ? 1.0 : 0.0));
  }
  for (const json& one : golden("seed_bench")) {
    INFO(one.dump());
    BenchmarkQuestion question;
    question.choices = texts;
    question.answers = {"D"};
    CHECK(judge_seed_bench(question, one.at(0)).parsed == one.at(1));
    CHECK(judge_seed_bench(question, one.at(0)).score == (one.at(1) == "D" ? 1.0 : 0.0));
  }
}

TEST_CASE("POPE's numbers by category") {
  Answered answered;
  // random: 3 of 4 yes found, 1 of 2 no taken for yes. popular: nothing is said to be there.
  for (const bool right : {true, true, true, false})
    answered.add("yes", right, {"random"});
  for (const bool right : {true, false})
    answered.add("no", right, {"random"});
  answered.add("yes", false, {"popular"});
  answered.add("no", true, {"popular"});
  const json result = summarize_pope(answered.judged(), 7);
  CHECK(result.at("accuracy").get<double>() == Approx(100.0 * 5 / 8));
  CHECK(result.at("random_accuracy").get<double>() == Approx(100.0 * 4 / 6));
  CHECK(result.at("random_precision").get<double>() == Approx(75.0));
  CHECK(result.at("random_recall").get<double>() == Approx(75.0));
  CHECK(result.at("random_f1").get<double>() == Approx(75.0));
  CHECK(result.at("random_yes_ratio").get<double>() == Approx(100.0 * 4 / 6));
  CHECK(result.at("popular_precision").is_null());
  CHECK(result.at("popular_recall").get<double>() == 0.0);
  CHECK(result.at("popular_f1").get<double>() == 0.0);
  CHECK(result.at("popular_yes_ratio").get<double>() == 0.0);
  CHECK(result.at("f1").get<double>() == Approx(37.5));
  // Popular is 0 in every resample, random's F1 at most 100.
  CHECK(result.at("f1_low").get<double>() < 37.5);
  CHECK(result.at("f1_high").get<double>() > 37.5);
  CHECK(result.at("f1_high").get<double>() <= 50.0);
  CHECK(result.at("n") == 8);
}

TEST_CASE("MME's accuracy and accuracy+ by subtask, and its totals") {
  Answered answered;
  const auto picture = [&](const char* subtask, const char* unit, bool first, bool second) {
    answered.add("yes", first, {subtask}, unit);
    answered.add("no", second, {subtask}, unit);
  };
  picture("existence", "existence/1", true, true);
  picture("existence", "existence/2", true, false);
  picture("color", "color/1", true, true);
  picture("code_reasoning", "code_reasoning/1", false, true);
  const json result = summarize_mme(answered.judged(), 7);
  CHECK(result.at("existence_accuracy").get<double>() == Approx(75.0));
  CHECK(result.at("existence_accuracy_plus").get<double>() == Approx(50.0));
  CHECK(result.at("existence").get<double>() == Approx(125.0));
  CHECK(result.at("color").get<double>() == Approx(200.0));
  CHECK(result.at("code_reasoning").get<double>() == Approx(50.0));
  CHECK(result.at("perception").get<double>() == Approx(325.0));
  CHECK(result.at("cognition").get<double>() == Approx(50.0));
  // Two pictures with 50 and 200 points: resampled means are 50, 125 or 200.
  CHECK(result.at("perception_low").get<double>() == Approx(250.0));
  CHECK(result.at("perception_high").get<double>() == Approx(400.0));
  CHECK(result.at("cognition_low").is_null());  // one picture
}

TEST_CASE("MMBench's rotated questions are right together") {
  Answered answered;
  for (const bool right : {true, true, true})
    answered.add("A", right, {"reasoning", "physics"}, "1");
  for (const bool right : {true, false})
    answered.add("B", right, {"reasoning", "social"}, "2");
  const json result = summarize_units(answered.judged(), 7);
  CHECK(result.at("n") == 5);
  CHECK(result.at("units") == 2);
  CHECK(result.at("question_accuracy").get<double>() == Approx(80.0));
  CHECK(result.at("accuracy").get<double>() == Approx(50.0));
  CHECK(result.at("reasoning").get<double>() == Approx(50.0));
  CHECK(result.at("physics").get<double>() == Approx(100.0));
  CHECK(result.at("social").get<double>() == Approx(0.0));
}

TEST_CASE("missing and unread answers are wrong and counted, unknown ones are not scored") {
  Answered answered;
  for (int i = 0; i < 4; ++i)
    answered.add("A", i == 0, {i < 2 ? "first" : "second"});
  auto judged = answered.judged();
  judged[1].judgment.is_read = false;
  judged[2].judgment.is_read = false;
  judged[2].missing = true;
  json result = summarize_scores(judged, 7);
  CHECK(result.at("accuracy").get<double>() == Approx(25.0));
  CHECK(result.at("unparsed") == 1);
  CHECK(result.at("missing") == 1);
  CHECK(result.at("first").get<double>() == Approx(50.0));
  CHECK(result.at("second").get<double>() == Approx(0.0));
  BenchmarkQuestion unknown;
  result = summarize_scores({{&unknown, "red", {"red", 0.0, true}, false}}, 7);
  CHECK(result.at("accuracy").is_null());
  CHECK(result.at("accuracy_low").is_null());
  CHECK(result.at("n") == 1);
}

TEST_CASE("bootstrap intervals agree with the normal approximation") {
  std::vector<double> scores(400, 0.0);
  std::fill(scores.begin(), scores.begin() + 120, 1.0);
  const Interval interval = bootstrap_interval({scores}, 3).value();
  const double half = 1.96 * std::sqrt(0.3 * 0.7 / 400);
  // 1000 resamples find a 2.5 % quantile to about 0.08 deviations; three of these.
  CHECK(interval.low == Approx(0.3 - half).margin(0.006));
  CHECK(interval.high == Approx(0.3 + half).margin(0.006));
  const Interval again = bootstrap_interval({scores}, 3).value();
  CHECK(again.low == interval.low);
  CHECK(again.high == interval.high);
  // Of independent strata the variances add.
  const Interval both = bootstrap_interval({scores, scores}, 3).value();
  CHECK(both.low == Approx(0.6 - std::sqrt(2.0) * half).margin(0.009));
  CHECK(bootstrap_interval({{0.5, 0.5, 0.5}, {2.0}}, 1)->low == Approx(2.5));
}

TEST_CASE("the bootstrap interval of the mean of several ratios") {
  std::vector<RatioPart> parts;
  for (int i = 0; i < 60; ++i)
    parts.push_back({i % 5 == 0 ? 1.0 + i % 2 : 0.0, 1.0 + i % 2});
  const Interval one = bootstrap_ratio_interval({parts}, 5).value();
  CHECK(one.low < 0.2);
  CHECK(one.high > 0.2);
  // The mean with a ratio that is always 1 is half as wide.
  const Interval both = bootstrap_ratio_interval({parts, {{2.0, 2.0}}}, 5).value();
  CHECK(both.low == Approx((1.0 + one.low) / 2));
  CHECK(both.high == Approx((1.0 + one.high) / 2));
  CHECK(bootstrap_ratio_interval({{{0.0, 0.0}, {0.0, 0.0}}}, 5)->high == 0.0);  // no weight
}

TEST_CASE("one score has no interval, and scores that are all alike have one without width") {
  CHECK_FALSE(bootstrap_interval({{0.5}}, 1));
  CHECK_FALSE(bootstrap_interval({{0.5}, {2.0}}, 1));
  CHECK_FALSE(bootstrap_interval({}, 1));
  CHECK_FALSE(bootstrap_ratio_interval({{{1.0, 2.0}}}, 1));
  Answered answered;
  answered.add("yes", true, {"random"});
  for (const auto& summarize : {summarize_scores, summarize_units, summarize_pope}) {
    const json alone = summarize(answered.judged(), 7);
    CHECK(alone.at("accuracy") == 100.0);
    CHECK(alone.at("accuracy_low").is_null());
    CHECK(alone.at("accuracy_high").is_null());
  }
  CHECK(summarize_pope(answered.judged(), 7).at("f1_low").is_null());
  answered.add("yes", true, {"random"});
  const json both = summarize_scores(answered.judged(), 7);
  CHECK(both.at("accuracy_low") == 100.0);
  CHECK(both.at("accuracy_high") == 100.0);
}
