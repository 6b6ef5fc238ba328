// Oddities of samples that LLaVA takes, and that are said: a first turn of "gpt", empty answers, repeated
// ids.
#include "dry_run.h"

using namespace qslaw;
using nlohmann::json;

namespace {

// Both kinds of dry run say it, once, and name the first sample.
void require_said_once(const TinyExperiment& experiment, const std::string& said, const std::string& first) {
  for (const Words& more : {Words{}, Words{"--all-samples"}}) {
    const ProgramResult looked = dry_run(experiment, "tune", more);
    require_success(looked);
    CHECK_THAT(looked.err, Catch::Contains(said) && Catch::Contains("first: [" + first + "]"));
    CHECK(looked.err.find(said) == looked.err.rfind(said));
  }
}

}  // namespace

TEST_CASE("samples whose first turn is left out are counted, and the first is named") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune + "  heldout: {pictures: {kind: llava, " + kHeldout + ", max_length: 64}}\n");
  json samples = json_file(experiment.data("heldout.json"));
  for (const size_t i : {1, 4}) {
    json& turns = samples.at(i)["conversations"];
    turns.insert(turns.begin(), json{{"from", "gpt"}, {"value", "Hello."}});
  }
  write_text(experiment.data("heldout.json"), samples.dump());
  const std::string place = experiment.data("heldout.json").string() + ", sample 1 (id " +
                            samples[1].at("id").get<std::string>() + ")";
  require_said_once(
      experiment,
      "[tune] 2 of 6 samples looked at begin with \"gpt\": that turn is left out, as LLaVA does, "
      "first: [" +
          place + "]",
      place);
  const ProgramResult run = experiment.run("tune", {"--set", "tune.max_steps=4"});
  require_success(run);
  CHECK_THAT(run.err, Catch::Contains("begin so: [" + place + "]"));
}

TEST_CASE("samples with an empty answer among others are counted, and the first is named") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune + "  heldout: {pictures: {kind: llava, " + kHeldout +
                          ", max_length: 128}}\n");
  json samples = json_file(experiment.data("heldout.json"));
  for (const size_t i : {1, 4}) {
    samples.at(i)["conversations"].push_back({{"from", "human"}, {"value", "And?"}});
    samples.at(i)["conversations"].push_back({{"from", "gpt"}, {"value", ""}});
  }
  write_text(experiment.data("heldout.json"), samples.dump());
  const std::string place = experiment.data("heldout.json").string() + ", sample 1 (id " +
                            samples[1].at("id").get<std::string>() + ")";
  require_said_once(experiment,
                    "[tune] 2 of 6 samples looked at have an empty answer: nothing is learned of it", place);
  const ProgramResult run = experiment.run("tune", {"--set", "tune.max_steps=4"});
  require_success(run);
  CHECK_THAT(run.err, Catch::Contains("all that follow: [" + place + "]"));
}

TEST_CASE("samples with <image> but without a picture are text, which is said") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune + "  heldout: {pictures: {kind: llava, " + kHeldout +
                          ", max_length: 128}}\n");
  json samples = json_file(experiment.data("heldout.json"));
  for (const size_t i : {1, 4})
    samples.at(i).erase("image");
  write_text(experiment.data("heldout.json"), samples.dump());
  const std::string place = experiment.data("heldout.json").string() + ", sample 1 (id " +
                            samples[1].at("id").get<std::string>() + ")";
  require_said_once(
      experiment,
      "[tune] 2 of 6 samples looked at have \"<image>\" but no picture: it is text there, as in LLaVA",
      place);
  const ProgramResult run = experiment.run("tune", {"--set", "tune.max_steps=4"});
  require_success(run);
  CHECK_THAT(run.err, Catch::Contains("in all that have it: [" + place + "]"));
}

TEST_CASE("ids that several samples have are a warning, said once") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  json samples = json_file(experiment.data("train.json"));
  samples.at(5)["id"] = samples.at(2).at("id");
  write_text(experiment.data("train.json"), samples.dump());
  const std::string said = "1 of 24 samples have the id of one before them, first: [" +
                           experiment.data("train.json").string() + ", sample 5 (id " +
                           samples[2].at("id").get<std::string>() + ")] that of sample 2";
  for (const ProgramResult& result : {dry_run(experiment, "tune"), experiment.run("tune")}) {
    require_success(result);
    CHECK_THAT(result.err, Catch::Contains(said));
    CHECK(result.err.find(said) == result.err.rfind(said));
  }
}

TEST_CASE("samples without a picture leave the projector as it was, which is said and costs no result") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  json samples = json_file(experiment.data("train.json"));
  for (json& sample : samples) {
    sample.erase("image");
    sample["conversations"] =
        json::array({{{"from", "human"}, {"value", "1 + 1?"}}, {{"from", "gpt"}, {"value", "2"}}});
  }
  write_text(experiment.data("train.json"), samples.dump());
  const ProgramResult looked = dry_run(experiment, "tune", {});
  require_success(looked);
  CHECK_THAT(looked.err, Catch::Contains("none of the samples looked at has a picture"));
  const ProgramResult run = experiment.run("tune");
  require_success(run);
  CHECK_THAT(run.err, Catch::Contains("no sample had a picture, so the projector is what it was"));
  // Nothing at all would be learned.
  const ProgramResult nothing =
      experiment.run("tune", {"--set", "tune.method=projector", "--set", "tune.lora=null", "--restart"});
  require_user_error(nothing, {"expected gradients at step 1, got none"});
}
