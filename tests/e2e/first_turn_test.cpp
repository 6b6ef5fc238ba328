// A first turn of "gpt" is left out, as LLaVA does, and said to be.
#include "dry_run.h"

using namespace qslaw;
using nlohmann::json;

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
  const std::string said =
      "[tune] 2 of 6 samples looked at begin with \"gpt\": that turn is left out, as LLaVA does, first: [" +
      place + "]";
  for (const Words& more : {Words{}, Words{"--all-samples"}}) {
    const ProgramResult looked = dry_run(experiment, "tune", more);
    require_success(looked);
    CHECK_THAT(looked.err, Catch::Contains(said));
    CHECK(looked.err.find(said) == looked.err.rfind(said));
  }
  const ProgramResult run = experiment.run("tune", {"--set", "tune.max_steps=4"});
  require_success(run);
  CHECK_THAT(run.err, Catch::Contains("begin so: [" + place + "]"));
}
