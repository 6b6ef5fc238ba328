#include "report/recipe_differences.h"

#include <catch2/catch.hpp>

using namespace qslaw;

namespace {

RunFolder run_with(const std::string& name, const std::string& recipe) {
  RunFolder run;
  run.name = name;
  for (const char* stage : {"quantize", "tune"}) {
    run.stages.emplace_back();
    run.stages.back().name = stage;
  }
  // The last stage's counts, as it does on the page of one run.
  if (!recipe.empty()) run.stages[0].recipe = "seed: 1000\n";
  run.stages[1].recipe = recipe;
  return run;
}

const std::string kFirst = R"(name: a
seed: 1
output: runs/a
quantize: {method: rtn, bits: 4, group_size: 128}
tune:
  method: lora
  optimizer: {lr: 2.0e-04, schedule: cosine}
  text: ~
eval:
  benchmarks:
    - {kind: scienceqa, name: scienceqa, prompt_suffix: "", limit: 0}
    - {kind: speed, name: speed, new_tokens: 64}
)";

const std::string kSecond = R"(name: b
seed: 1
output: runs/b
quantize: {method: omniquant, bits: 4, group_size: 128, omniquant: {epochs: 4}}
warmup:
  phases:
    - {max_steps: 20, text_share: [[0, 0.5], [1, 0.5]]}
    - {max_steps: 50}
  optimizer: {lr: 0.02}
tune:
  method: lora
  optimizer: {lr: 1.0e-04, schedule: cosine}
  text: {kind: text, path: text.txt}
eval:
  benchmarks:
    - {kind: scienceqa, name: scienceqa, prompt_suffix: "Answer.", limit: 0}
)";

}  // namespace

TEST_CASE("the recipes' differences stand side by side, sections that only some have as given or none") {
  std::string third = kSecond;
  third.replace(third.find("lr: 0.02"), 8, "lr: 0.03");
  CHECK(table_text(recipe_differences(
            {run_with("one", kFirst), run_with("two", kSecond), run_with("three", third)})) ==
        "key                                      one               two        three\n"
        "---------------------------------------  ----------------  ---------  ---------\n"
        "quantize.method                          rtn               omniquant  omniquant\n"
        "quantize.omniquant                       none              given      given\n"
        "warmup                                   none              given      given\n"
        "warmup.optimizer.lr                                        0.02       0.03\n"
        "tune.optimizer.lr                        2.0e-04           1.0e-04    1.0e-04\n"
        "tune.text                                none              given      given\n"
        "eval.benchmarks                          scienceqa, speed  scienceqa  scienceqa\n"
        "eval.benchmarks.scienceqa.prompt_suffix  \"\"                Answer.    Answer.\n");
}

TEST_CASE("named items that only some recipes have are one row together, and compared where they are") {
  const auto recipe = [](const std::string& items) { return "eval:\n  benchmarks: [" + items + "]\n"; };
  const std::string mme = "{kind: mme, name: mme, limit: 0}", pope = "{kind: pope, name: pope, limit: 3}";
  const std::string other = "{kind: mme, name: mme, limit: 5}", gqa = "{kind: gqa, name: gqa, limit: 9}";
  CHECK(table_text(recipe_differences({run_with("one", recipe(pope + ", " + gqa + ", " + mme)),
                                       run_with("two", recipe(other)), run_with("three", recipe(pope))})) ==
        "key                        one             two  three\n"
        "-------------------------  --------------  ---  -----\n"
        "eval.benchmarks            gqa, mme, pope  mme  pope\n"
        "eval.benchmarks.mme.limit  0               5\n");
  CHECK(recipe_differences(
            {run_with("one", recipe(pope + ", " + mme)), run_with("two", recipe(mme + ", " + pope))})
            .rows.empty());
}

TEST_CASE("lists of the recipes are compared whole and shown by their beginning") {
  std::string steps = "0";
  for (int i = 1; i < 40; ++i)
    steps += ", " + std::to_string(i);
  const Table table =
      recipe_differences({run_with("one", "tune: {steps: [" + steps + "], formats: [hf]}\n"),
                          run_with("two", "tune: {steps: [" + steps + ", 40], formats: [hf]}\n")});
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0][0].text == "tune.steps");
  CHECK(table.rows[0][1].text == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \xE2\x80\xA6");
}

TEST_CASE("recipes that cannot be read, and runs without one, leave their column empty") {
  const Table table = recipe_differences({run_with("one", "tune: {rank: 4}\n"), run_with("two", ""),
                                          run_with("three", "tune: [1, {\n"), run_with("four", "text"),
                                          run_with("five", "tune: {rank: 8}\n")});
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0][0].text == "tune.rank");
  CHECK(table.rows[0][4].text == "");
  CHECK(table.rows[0][5].text == "8");
  CHECK(recipe_differences({run_with("one", kFirst), run_with("two", kFirst)}).rows.empty());
}
