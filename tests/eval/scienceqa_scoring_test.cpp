// tests/fixtures/eval/answer_judges.json: what LLaVA's eval_science_qa.py reads from a text.
#include "eval/scienceqa_scoring.h"

#include <catch2/catch.hpp>

#include "io/json.h"

using namespace qslaw;
using nlohmann::json;

TEST_CASE("ScienceQA answers are read as by LLaVA's scorer") {
  const json cases = read_json(std::string(QSLAW_FIXTURES) + "/eval/answer_judges.json").at("scienceqa");
  CHECK(cases.size() >= 30);
  for (const json& one : cases) {
    INFO(one.dump());
    const std::string letter = one.at(2);
    const int64_t index = one.at(3);
    // The scorer has one index for both kinds of failure.
    CHECK(parse_scienceqa_answer(one.at(0), one.at(1)) == (letter.empty() ? kUnparsed : index));
  }
}

TEST_CASE("scores are averaged by subset") {
  const auto problem = [](const char* id, int64_t answer, const char* hint, const char* picture,
                          const char* subject, const char* grade) {
    ScienceQaProblem p;
    p.id = id;
    p.choices = {"x", "y", "z"};
    p.answer = answer;
    p.hint = hint;
    p.picture = picture;
    p.subject = subject;
    p.grade = grade;
    return p;
  };
  const std::vector<ScienceQaProblem> problems = {
      problem("1", 0, "hint", "a.png", "natural science", "grade1"),
      problem("2", 1, "", "b.png", "natural science", "grade7"),
      problem("3", 2, "", "", "language science", "grade12"),
      problem("4", 0, "", "", "language science", "grade6"),
  };
  const auto result = score_scienceqa(
      problems, {{"1", {"A", false}}, {"2", {"A", false}}, {"3", {"The answer is C.", false}}}, 7);
  CHECK(result["accuracy"] == 50.0);  // 1 and 3 right, 2 wrong, 4 missing
  // The mean of four draws from two right and two wrong is 0 or 100 in a sixteenth of the resamples each.
  CHECK(result["accuracy_low"] == 0.0);
  CHECK(result["accuracy_high"] == 100.0);
  CHECK(result["n"] == 4);
  CHECK(result["missing"] == 1);
  CHECK(result["unparsed"] == 0);
  CHECK(result["NAT"] == 50.0);
  CHECK(result["SOC"].is_null());
  CHECK(result["LAN"] == 50.0);
  CHECK(result["TXT"] == 100.0);
  CHECK(result["IMG"] == 50.0);
  CHECK(result["NO"] == 50.0);
  CHECK(result["G1-6"] == 50.0);
  CHECK(result["G7-12"] == 50.0);
}
