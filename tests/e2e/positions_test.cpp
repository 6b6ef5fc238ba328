// Keys by which a sequence may be longer than the model's positions (512 here) are named.
#include <sstream>

#include "dry_run.h"

using namespace qslaw;
using nlohmann::json;

namespace {

// The warnings' words, in their order.
Words position_warnings(const ProgramResult& result) {
  Words said;
  std::istringstream err(result.err);
  for (std::string line; std::getline(err, line);) {
    const size_t at = line.find("[model] expected at most");
    if (at == std::string::npos) continue;
    CHECK(line.find("warning ") != std::string::npos);
    said.push_back(line.substr(at));
  }
  return said;
}

std::string expected_of(const TinyExperiment& experiment, const std::string& got,
                        const std::string& positions = "512", const std::string& scaled = "") {
  return "[model] expected at most " + positions + " positions (max_position_embeddings of " +
         (experiment.path() / "model" / "config.json").string() + scaled + "), got " + got;
}

void scale_rope(const TinyExperiment& experiment, double factor) {
  const auto file = experiment.path() / "model" / "config.json";
  json config = json_file(file);
  config["text_config"].erase("rope_parameters");
  config["text_config"]["rope_scaling"] = {{"type", "linear"}, {"factor", factor}};
  write_text(file, config.dump());
}

}  // namespace

TEST_CASE("sequences longer than the model's positions are a warning, of a dry run and of a run") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const Words fits = {"--set", "tune.data.max_length=512", "--set", "tune.max_steps=1"};
  const Words longer = {"--set", "tune.data.max_length=513", "--set", "tune.max_steps=1"};
  CHECK(position_warnings(dry_run(experiment, "tune", fits)).empty());
  const Words said = {expected_of(experiment, "max_length 513 (tune.data)")};
  for (const ProgramResult& result : {dry_run(experiment, "run", longer), experiment.run("run", longer)}) {
    require_success(result);
    CHECK(position_warnings(result) == said);
  }
}

TEST_CASE("every key that allows too long sequences is named, once") {
  const TinyExperiment experiment;
  experiment.write_recipe(
      "quantize:\n  method: omniquant\n  group_size: 32\n  calibration: {kind: llava, path: "
      "data/captions.json, images: data/pictures, samples: 4, length: 600}\n" +
      kWarmup + kTune +
      "  text: {kind: text, path: data/text.txt, max_length: 601}\n"
      "  heldout: {pictures: {kind: llava, " +
      kHeldout +
      ", max_length: 602}}\n"
      "eval:\n  benchmarks:\n    - {kind: speed, prompt_tokens: 500, new_tokens: 12}\n"
      "    - {name: longer, kind: speed, prompt_tokens: 500, new_tokens: 13}\n"
      "    - {kind: text_perplexity, path: data/text_heldout.txt, context: 603}\n"
      "    - {kind: scienceqa, max_new_tokens: 3, " +
      kProblems + "}\n");
  const ProgramResult result = dry_run(experiment, "run", {"--set", "warmup.phases.1.text.max_length=604"});
  require_success(result);
  CHECK(position_warnings(result) ==
        Words{expected_of(experiment, "length 600 (quantize.calibration)"),
              expected_of(experiment, "max_length 604 (warmup.phases.1.text)"),
              expected_of(experiment, "max_length 601 (tune.text)"),
              expected_of(experiment, "max_length 602 (tune.heldout.pictures)"),
              expected_of(experiment, "prompt_tokens 500 and new_tokens 13 (eval.benchmarks.1)"),
              expected_of(experiment, "context 603 (eval.benchmarks.2)")});
}

TEST_CASE("rope scaling gives a model more positions") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  scale_rope(experiment, 4.0);
  CHECK(position_warnings(dry_run(experiment, "tune", {"--set", "tune.data.max_length=2048"})).empty());
  CHECK(position_warnings(dry_run(experiment, "tune", {"--set", "tune.data.max_length=2049"})) ==
        Words{expected_of(experiment, "max_length 2049 (tune.data)", "2048", " with its rope scaling")});
}
