// What a dry run counts of an evaluation, and evaluations that need no model.
#include "dry_run.h"

using namespace qslaw;
using nlohmann::json;

namespace {

json eval_estimate(const TinyExperiment& experiment, const std::string& keys) {
  experiment.write_recipe(benchmark(keys));
  const ProgramResult result = dry_run(experiment, "eval");
  require_success(result);
  return json::parse(result.out).at("estimate").at("rows").at(0);
}

int64_t eval_activations(const TinyExperiment& experiment, const std::string& keys) {
  return eval_estimate(experiment, keys).at("activations").get<int64_t>();
}

}  // namespace

TEST_CASE("a dry run's memory of an evaluation is the cache of its largest batch") {
  const TinyExperiment experiment;
  // Keys and values of 3 blocks with 2 heads of 16 in float32, and a dequantized linear of 64 x 32 twice.
  const int64_t token = 2 * 3 * 2 * 16 * 4, linears = 2 * 64 * 32 * 4;
  CHECK(eval_activations(experiment, "kind: speed, prompt_tokens: 8, new_tokens: 2") ==
        (8 + 2) * token + linears);
  CHECK(eval_activations(experiment,
                         "kind: text_perplexity, path: data/text_heldout.txt, context: 32, batch_size: 1") ==
        32 * token + linears);
  const std::string questions = "kind: exact_match, " + kHeldout;
  const int64_t four = eval_activations(experiment, questions + ", batch_size: 4, max_new_tokens: 3");
  CHECK(eval_activations(experiment, questions + ", batch_size: 4, max_new_tokens: 13") ==
        four + 4 * 10 * token);
  // Six questions: no batch is larger.
  CHECK(eval_activations(experiment, questions + ", batch_size: 99, max_new_tokens: 3") - linears ==
        (four - linears) / 4 * 6);
}

TEST_CASE("a dry run's time of an evaluation grows with what is generated") {
  const TinyExperiment experiment;
  const auto seconds = [&](const std::string& keys) {
    return eval_estimate(experiment, keys).at("time").get<double>();
  };
  for (const std::string& kind : {"kind: exact_match, " + kHeldout, "kind: scienceqa, " + kProblems}) {
    INFO(kind);
    // Prompts have fewer than 200 tokens, so there are at least 150 times as many in all; all but 5 of that
    // is left to the speed that each run measures for itself on a machine that may be busy.
    CHECK(seconds(kind + ", max_new_tokens: 30000") > 5 * seconds(kind + ", max_new_tokens: 1"));
  }
}

TEST_CASE("given predictions are scored where there is no model") {
  const TinyExperiment experiment;
  std::string answers;
  const json problems = json_file(experiment.data("problems.json"));
  for (const auto& [id, problem] : problems.items()) {
    const std::string letter(1, static_cast<char>('A' + problem.at("answer").get<int>()));
    answers += json{{"id", id}, {"text", letter}}.dump() + "\n";
  }
  write_text(experiment.data("answers.jsonl"), answers);
  const std::string scored = "kind: scienceqa, predictions: data/answers.jsonl, " + kProblems;
  experiment.write_recipe(benchmark(scored), "{path: nowhere}");
  const ProgramResult dry = dry_run(experiment, "run");
  require_success(dry);
  CHECK(json::parse(dry.out).at("estimate").at("rows").at(0).at("weights") == 0);
  require_success(experiment.run("run"));
  const json results = json_file(experiment.output() / "eval" / "report.json").at("results");
  CHECK(results.at("scienceqa").at("accuracy") == 100.0);
  CHECK(results.at("scienceqa").at("n") == 6);

  write_text(experiment.data("answers.jsonl"), answers + "{\n");
  require_user_error(dry_run(experiment, "eval"), {experiment.data("answers.jsonl").string(), "line 7"});
  // Those of another benchmark.
  write_text(experiment.data("answers.jsonl"), json{{"id", "of-another"}, {"text", "A"}}.dump() + "\n");
  for (const ProgramResult& result : {dry_run(experiment, "eval"), experiment.run("eval", {"--restart"})})
    require_user_error(
        result, {"[eval] expected answers to the benchmark's questions (id ",
                 "got none of them, but id of-another (" + experiment.data("answers.jsonl").string() + ")"});
  write_text(experiment.data("answers.jsonl"), answers);
  experiment.write_recipe(benchmark(scored) + "    - {kind: speed}\n", "{path: nowhere}");
  require_user_error(dry_run(experiment, "eval"), {(experiment.path() / "nowhere").string()});
}
