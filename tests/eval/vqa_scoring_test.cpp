// tests/fixtures/eval/vqa_scoring.json: what the published scorers say (VQA's vqaEval.py, run on the answer
// as it is and as LLaVA sends it; LLaVA's m4c_evaluator.py; VizWiz's evaluation with published references).
#include "eval/vqa_scoring.h"

#include <catch2/catch.hpp>

#include "io/json.h"

using namespace qslaw;
using nlohmann::json;

namespace {

json golden_cases() {
  return read_json(std::string(QSLAW_FIXTURES) + "/eval/vqa_scoring.json");
}

}  // namespace

TEST_CASE("short answers are normalized and scored as by the published scorers") {
  const json cases = golden_cases();
  CHECK(cases.size() >= 60);
  for (const json& golden : cases) {
    INFO(golden.dump());
    const std::string text = golden.at("text");
    BenchmarkQuestion question;
    question.answers = golden.at("answers").get<std::vector<std::string>>();
    CHECK(vqa_normalized(text) == golden.at("vqa"));
    CHECK(evalai_normalized(text) == golden.at("evalai"));
    CHECK(vqa_accuracy(text, question.answers) == Approx(golden.at("official").get<double>()).margin(1e-12));
    CHECK(judge_textvqa(question, text).score == Approx(golden.at("textvqa").get<double>()).margin(1e-12));
    CHECK(judge_vqav2(question, text).score == Approx(golden.at("vqav2").get<double>()).margin(1e-12));
    CHECK(judge_vizwiz(question, text).score == Approx(golden.at("vizwiz").get<double>()).margin(1e-12));
    CHECK(judge_textvqa(question, text).parsed == golden.at("evalai"));
    CHECK(judge_textvqa(question, text).is_read == !golden.at("evalai").get<std::string>().empty());
  }
}

TEST_CASE("k of ten annotators make 0, 0.3, 0.6, 0.9 or 1") {
  for (const auto& [matches, score] :
       std::vector<std::pair<size_t, double>>{{0, 0.0}, {1, 0.3}, {2, 0.6}, {3, 0.9}, {4, 1.0}, {10, 1.0}}) {
    std::vector<std::string> references(10, "other");
    for (size_t i = 0; i < matches; ++i)
      references[i] = "right";
    CHECK(leave_one_out_accuracy("right", references) == Approx(score));
  }
}

TEST_CASE("GQA answers are equal after lower case and without periods at the end") {
  const json cases = read_json(std::string(QSLAW_FIXTURES) + "/eval/answer_judges.json").at("gqa");
  CHECK(cases.size() >= 30);
  for (const json& golden : cases) {
    INFO(golden.dump());
    BenchmarkQuestion question;
    question.answers = {golden.at(2)};
    const Judgment judgment = judge_gqa(question, golden.at(0));
    CHECK(judgment.parsed == golden.at(1));
    CHECK(judgment.score == (golden.at(3).get<bool>() ? 1.0 : 0.0));
  }
}

TEST_CASE("without public answers nothing is right") {
  const BenchmarkQuestion question;
  for (const auto judge : {judge_textvqa, judge_vqav2, judge_vizwiz, judge_gqa}) {
    CHECK(judge(question, "Red.").score == 0.0);
    CHECK(judge(question, "Red.").parsed == "red");
  }
}
