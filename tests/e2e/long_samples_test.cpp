// Samples longer than max_length are cut, skipped or an error, and said to be.
#include "dry_run.h"

using namespace qslaw;
using nlohmann::json;

namespace {

// A sample whose answer goes on and on; all others have fewer than 128 tokens. Returns its id.
std::string lengthen_sample(const TinyExperiment& experiment) {
  json samples = json_file(experiment.data("train.json"));
  std::string answer;
  for (int i = 0; i < 80; ++i)
    answer += "What is the digit plus 3? ";
  samples.at(7)["conversations"] =
      json::array({{{"from", "human"}, {"value", "<image>\nQ?"}}, {{"from", "gpt"}, {"value", answer}}});
  write_text(experiment.data("train.json"), samples.dump());
  return samples[7].at("id");
}

// One pass over all 24 samples.
Words settings(const std::string& on_long_sample) {
  return {"--set", "tune.max_steps=0",
          "--set", "tune.data.max_length=128",
          "--set", "tune.data.on_long_sample=" + on_long_sample};
}

}  // namespace

TEST_CASE("long samples are cut or skipped, and counted") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const std::string id = lengthen_sample(experiment);
  const bool cuts = GENERATE(true, false);
  const ProgramResult result = experiment.run("tune", settings(cuts ? "cut" : "skip"));
  require_success(result);
  const json results = json_file(experiment.output() / "tune" / "report.json").at("results");
  CHECK(results.at("cut_samples") == (cuts ? 1 : 0));
  CHECK(results.at("skipped_long_samples") == (cuts ? 0 : 1));
  CHECK(results.at("skipped_samples") == (cuts ? 0 : 1));
  const std::string log = file_bytes(experiment.output() / "tune" / "log.txt");
  CHECK_THAT(log, Catch::Contains(cuts ? "cut a long sample" : "skipped a long sample") &&
                      Catch::Contains(experiment.data("train.json").string() + ", sample 7 (id " + id + ")"));
}

TEST_CASE("a long sample is an error where that is asked for, whatever becomes of bad ones") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const std::string id = lengthen_sample(experiment);
  Words more = settings("error");
  more.insert(more.end(), {"--set", "tune.data.on_bad_sample=skip"});
  require_user_error(dry_run(experiment, "tune", more),
                     {"sample 7 (id " + id + ")", "max_length 128", "got "});
  require_user_error(experiment.run("tune", more), {"sample 7 (id " + id + ")", "max_length 128", "got "});
}

TEST_CASE("a dry run says how many samples are too long, and of how many") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const std::string id = lengthen_sample(experiment);
  const std::string said = "[tune] 1 of 24 samples looked at are longer than max_length 128 (longest ";
  for (const bool all : {false, true}) {
    Words cut = settings("cut"), skip = settings("skip");
    if (all) {
      cut.emplace_back("--all-samples");
      skip.emplace_back("--all-samples");
    }
    const ProgramResult as_cut = dry_run(experiment, "tune", cut);
    require_success(as_cut);
    CHECK_THAT(as_cut.err,
               Catch::Contains(said) && Catch::Contains("): cut, first: [") && Catch::Contains("(id " + id));
    CHECK(as_cut.err.find(said) == as_cut.err.rfind(said));
    const ProgramResult as_skipped = dry_run(experiment, "tune", skip);
    require_success(as_skipped);
    CHECK_THAT(as_skipped.err, Catch::Contains(said) && Catch::Contains("): skipped, first: ["));
  }
  // Cut in front of their answers, all 24 have nothing to learn.
  Words short_ones = settings("cut");
  short_ones.insert(short_ones.end(), {"--set", "tune.data.max_length=30"});
  require_user_error(
      dry_run(experiment, "tune", short_ones),
      {"[tune]", "expected a sound sample, got 24 longer than max_length 30", "token to learn"});
  Words none = settings("skip");
  none.insert(none.end(), {"--set", "tune.data.max_length=40"});
  require_user_error(dry_run(experiment, "tune", none),
                     {"[tune]", "expected a sound sample, got 24 longer than max_length 40"});
}
