// Golden cases of the method note (G10), restated from llava/eval/eval_science_qa.py.
#include "eval/scienceqa_scoring.h"

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("ScienceQA answers are parsed by LLaVA's rule") {
  struct Case {
    const char* text;
    size_t choices;
    int64_t expected;
  };
  const Case golden =
      GENERATE(Case{"B", 3, 1}, Case{"B. because", 3, 1}, Case{"B.because", 3, kUnparsed},
               Case{"Foo. The answer is C.", 4, 2}, Case{"The answer is C", 4, kUnparsed},
               Case{"The answer is C!", 4, 2}, Case{"The answer is A. The answer is A.", 4, kUnparsed},
               Case{"The answer is E.", 4, kOutOfRange}, Case{"the answer is A.", 4, kUnparsed},
               Case{"D", 3, kOutOfRange}, Case{"A, sure", 2, kUnparsed},
               // Further corners of the same regular expression, worked out with Python's re.
               Case{"", 2, kUnparsed}, Case{"F", 5, kUnparsed}, Case{"The answer is Z.", 5, kOutOfRange},
               Case{"The answer is B\n", 5, kUnparsed},
               Case{"The answer is The answer is B.", 3, kOutOfRange}, Case{"E. x", 5, 4});
  INFO(golden.text);
  CHECK(parse_scienceqa_answer(golden.text, golden.choices) == golden.expected);
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
