// A dry run stops at what would stop the run later.
#include <unistd.h>

#include "dry_run.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// The dry run says the same as the run, and leaves nothing behind.
void require_both_stop(const TinyExperiment& experiment, const std::string& command, const Words& parts,
                       const Words& more = {}) {
  require_user_error(dry_run(experiment, command, more), parts);
  CHECK_FALSE(fs::exists(experiment.output()));
  require_user_error(experiment.run(command, more), parts);
}

json read_sample(const TinyExperiment& experiment, const std::string& file, size_t index) {
  return json_file(experiment.data(file)).at(index);
}

// Gives a sample turns in the wrong order.
void spoil_sample(const TinyExperiment& experiment, const std::string& file, size_t index) {
  json samples = json_file(experiment.data(file));
  samples.at(index)["conversations"] =
      json::array({{{"from", "human"}, {"value", "<image>\n3?"}}, {{"from", "human"}, {"value", "4"}}});
  write_text(experiment.data(file), samples.dump());
}

const std::string kWithStages = "{path: model, random_weights: true, dtype: float32, stages: [";

}  // namespace

TEST_CASE("a dry run looks at the samples of benchmarks") {
  const TinyExperiment experiment;
  const Words skip = {"--set", "eval.benchmarks.0.on_bad_sample=skip"};
  const json sample = read_sample(experiment, "heldout.json", 0);
  SECTION("a broken picture of a loss") {
    experiment.write_recipe(benchmark("kind: loss, " + kHeldout));
    const fs::path picture = experiment.data("pictures") / sample.at("image").get<std::string>();
    write_text(picture, "no picture");
    require_both_stop(experiment, "eval", {picture.string(), sample.at("id").get<std::string>()});
  }
  SECTION("turns in the wrong order in an exact match") {
    experiment.write_recipe(benchmark("kind: exact_match, max_new_tokens: 3, " + kHeldout));
    spoil_sample(experiment, "heldout.json", 0);
    require_both_stop(experiment, "eval",
                      {experiment.data("heldout.json").string(), sample.at("id").get<std::string>()});
  }
  SECTION("a blank answer to an exact match") {
    experiment.write_recipe(benchmark("kind: exact_match, max_new_tokens: 3, " + kHeldout));
    json samples = json_file(experiment.data("heldout.json"));
    samples.at(0)["conversations"][1]["value"] = "  ";
    write_text(experiment.data("heldout.json"), samples.dump());
    require_both_stop(experiment, "eval", {"got a blank one", sample.at("id").get<std::string>()});
  }
  SECTION("a broken picture of a ScienceQA problem") {
    experiment.write_recipe(benchmark("kind: scienceqa, max_new_tokens: 3, " + kProblems));
    const std::string id = json_file(experiment.data("splits.json")).at("test").at(0);
    const std::string name = json_file(experiment.data("problems.json")).at(id).at("image");
    const fs::path picture = experiment.data("pictures") / name;
    write_text(picture, "no picture");
    require_both_stop(experiment, "eval", {picture.string()});
  }
  require_success(dry_run(experiment, "eval", skip));
}

TEST_CASE("a dry run looks at held-out samples") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune + "  heldout: {pictures: {kind: llava, " + kHeldout + ", max_length: 64}}\n");
  require_success(dry_run(experiment, "tune"));
  spoil_sample(experiment, "heldout.json", 2);
  const std::string id = read_sample(experiment, "heldout.json", 2).at("id");
  const Words skip = {"--set", "tune.heldout.pictures.on_bad_sample=skip"};
  require_success(dry_run(experiment, "tune", skip));
  require_both_stop(experiment, "tune", {experiment.data("heldout.json").string(), id});

  // Where every sample is bad there is none to take a bad one's place.
  for (size_t i = 0; i < 6; ++i)
    spoil_sample(experiment, "heldout.json", i);
  require_user_error(dry_run(experiment, "tune", skip),
                     {"[tune]", "expected a sound sample", "6 bad among 6"});
}

TEST_CASE("a dry run names a bad sample once, however often it is drawn") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  spoil_sample(experiment, "train.json", 2);
  const std::string id = read_sample(experiment, "train.json", 2).at("id");
  // 24 samples, ten times.
  const ProgramResult result = dry_run(experiment, "tune",
                                       {"--set", "tune.max_steps=60", "--set", "tune.data.on_bad_sample=skip",
                                        "--set", "tune.data.max_length=128"});  // none is longer
  require_success(result);
  const size_t first = result.err.find(id);
  REQUIRE(first != std::string::npos);
  CHECK(result.err.find("warning", first) == std::string::npos);
}

TEST_CASE("a dry run names bad samples in the order of their file, which training does not draw them in") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const std::vector<size_t> bad = {1, 2, 7, 11, 12, 18, 23};
  for (const size_t i : bad)
    spoil_sample(experiment, "train.json", i);
  const ProgramResult result = dry_run(
      experiment, "tune",
      {"--set", "tune.data.on_bad_sample=skip", "--set", "tune.data.max_length=128"});  // none is longer
  require_success(result);
  size_t at = 0;
  for (const size_t i : bad) {
    INFO("sample " << i);
    at = result.err.find(", sample " + std::to_string(i) + " (id ", at);
    REQUIRE(at != std::string::npos);
  }
}

TEST_CASE("a dry run takes steps of any size in full rows, grouped by modality and length or not") {
  const TinyExperiment experiment;
  const std::string steps = "  batch_size: 4\n  micro_batch_size: 2\n",
                    order = GENERATE("none", "modality_length");
  std::string tune = kTune;
  // Neither a multiple of the usual 8 samples of a pass nor one that they would fit into.
  tune.replace(tune.find(steps), steps.size(),
               "  batch_size: 6\n  packing: true\n  packed_length: 80\n  group_by: " + order + "\n");
  experiment.write_recipe(tune);
  require_success(dry_run(experiment, "tune"));
}

TEST_CASE("a dry run looks at calibration samples") {
  const TinyExperiment experiment;
  // All 16 samples are drawn.
  experiment.write_recipe(
      "quantize:\n  method: omniquant\n  group_size: 32\n  calibration: {kind: llava, path: "
      "data/captions.json, images: data/pictures, samples: 16, length: 64}\n");
  const ProgramResult sound = dry_run(experiment, "quantize");
  require_success(sound);
  const json estimate = json::parse(sound.out).at("estimate").at("rows").at(0);
  CHECK_THAT(estimate.at("time from").get<std::string>(), Catch::StartsWith("a measured step of one block"));
  CHECK(estimate.at("time") > 0.0);
  // No labels are looked at.
  json samples = json_file(experiment.data("captions.json"));
  samples.at(3)["conversations"].erase(size_t{1});
  write_text(experiment.data("captions.json"), samples.dump());
  require_success(dry_run(experiment, "quantize"));
  spoil_sample(experiment, "captions.json", 5);
  const std::string id = read_sample(experiment, "captions.json", 5).at("id");
  require_success(dry_run(experiment, "quantize", {"--set", "quantize.calibration.on_bad_sample=skip"}));
  require_both_stop(experiment, "quantize", {experiment.data("captions.json").string(), id});
}

TEST_CASE("a dry run knows what warmup needs") {
  const TinyExperiment experiment;
  const fs::path other = experiment.path() / "other";
  SECTION("a block with scales to learn") {
    experiment.write_recipe(kQuantize + kWarmup);
    const std::string wrong = "expected a layer below the model's 3, got 3 (";
    require_both_stop(experiment, "run", {wrong + "--set warmup.first_layer=3, key warmup.first_layer)"},
                      {"--set", "warmup.first_layer=3"});
    // Written nowhere, it is 6.
    std::string warmup = kWarmup;
    warmup.replace(warmup.find("  first_layer: 1\n"), 17, "");
    experiment.write_recipe(kQuantize + warmup);
    require_both_stop(experiment, "run",
                      {"got 6 (" + experiment.recipe().string() + ", line ", "key warmup.first_layer)"});
  }
  SECTION("something packed") {
    fs::create_directories(other / "tune");
    write_text(other / "tune" / "report.json", R"({"stage": "tune", "status": "complete"})");
    experiment.write_recipe(kWarmup, kWithStages + "other/tune]}");
    require_both_stop(experiment, "run", {"[warmup]", "quantized", "got none"});
  }
  SECTION("a uniform grid") {
    // nf4 works in blocks of 64 inputs.
    json config = json_file(experiment.path() / "model" / "config.json");
    config["text_config"]["hidden_size"] = 64;
    write_text(experiment.path() / "model" / "config.json", config.dump());
    experiment.write_recipe("quantize: {method: nf4}\n");
    require_success(experiment.run("quantize", {"--out", other.string()}));
    experiment.write_recipe(kWarmup, kWithStages + "other/quantize]}");
    require_both_stop(experiment, "run",
                      {"[warmup]", "uniform grid (rtn, omniquant or absorbed)", "got nf4"});
  }
  SECTION("and passes where it is there") {
    experiment.write_recipe(kQuantize);
    require_success(experiment.run("quantize", {"--out", other.string()}));
    experiment.write_recipe(kWarmup, kWithStages + "other/quantize]}");
    require_success(dry_run(experiment, "run"));
  }
}

TEST_CASE("a dry run knows what earlier stages must have left") {
  const TinyExperiment experiment;
  const fs::path other = experiment.path() / "other";
  fs::create_directories(other);
  experiment.write_recipe(kTune, kWithStages + "other]}");
  require_both_stop(experiment, "run", {"[model]", "finished stage folder", other.string()});

  // One stage alone needs those before it, all together do not.
  experiment.write_recipe(kQuantize + kTune);
  require_success(dry_run(experiment, "run"));
  require_user_error(dry_run(experiment, "tune"),
                     {"[tune]", "quantize", (experiment.output() / "quantize").string()});
}

TEST_CASE("a dry run says what would be done with each stage, and estimates what is left to do") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune);
  const auto told = [&](const Words& more) {
    const ProgramResult result = dry_run(experiment, "run", more);
    require_success(result);
    const json all = json::parse(result.out);
    Words lines;
    for (const json& row : all.at("stages").at("rows"))
      lines.push_back(row.at("stage").get<std::string>() + ": " + row.at("status").get<std::string>());
    std::string estimated = "estimated:";
    for (const json& row : all.at("estimate").at("rows"))
      estimated += " " + row.at("stage").get<std::string>();
    lines.push_back(estimated);
    return lines;
  };
  CHECK(told({}) == Words{"quantize: new", "tune: new", "estimated: quantize tune"});
  require_success(experiment.run("quantize"));
  CHECK(told({}) == Words{"quantize: complete", "tune: new", "estimated: tune"});
  require_success(experiment.run("run"));
  CHECK(told({}) == Words{"quantize: complete", "tune: complete", "estimated:"});
  CHECK(told({"--set", "tune.lora.rank=8"}) ==
        Words{"quantize: complete", "tune: would be done anew: its inputs have changed (rank: 8 for rank: 4)",
              "estimated: tune"});
  CHECK(told({"--set", "quantize.bits=3"}) ==
        Words{"quantize: would be done anew: its inputs have changed (bits: 3 for bits: 4)",
              "tune: would be done anew, unless quantize leaves the same files", "estimated: quantize tune"});
  const std::string changed = "tune: would be done anew: its inputs have changed (rank: 8 for rank: 4)";
  CHECK(told({"--set", "quantize.bits=3", "--set", "tune.lora.rank=8"})[1] == changed);
  CHECK(told({"--restart"}) == Words{"quantize: would be done anew: --restart",
                                     "tune: would be done anew: --restart", "estimated: quantize tune"});
}

TEST_CASE("a dry run says which stages are done anew whatever those before them leave") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + benchmark("kind: loss, " + kHeldout) + kExport);
  require_success(experiment.run("run"));
  fs::remove(experiment.output() / "export" / "hf" / "config.json");
  change(experiment.data("heldout.json"));
  const ProgramResult result = dry_run(experiment, "run", {"--set", "quantize.bits=3"});
  require_success(result);
  const json stages = json::parse(result.out).at("stages").at("rows");
  CHECK(stages.at(1).at("status") == "would be done anew, unless quantize leaves the same files");
  CHECK_THAT(stages.at(2).at("status").get<std::string>(),
             Catch::StartsWith("would be done anew: its inputs have changed (the changed file ") &&
                 Catch::Contains("heldout.json"));
  CHECK(stages.at(3).at("status") == "would be done anew: its file hf/config.json is gone");
}

TEST_CASE("a dry run with nothing to do estimates nothing") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  CHECK_THAT(experiment.run("run", {"--dry-run"}).out, Catch::Contains("Estimated"));
  require_success(experiment.run("run"));
  const ProgramResult result = experiment.run("run", {"--dry-run"});
  require_success(result);
  CHECK_THAT(result.out, Catch::Contains("complete") && !Catch::Contains("Estimated"));
}

TEST_CASE("a dry run knows whether the output can be written") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  const fs::path below_a_file = experiment.recipe() / "out";
  require_user_error(dry_run(experiment, "quantize", {"--out", below_a_file.string()}),
                     {"[output]", "got a file", below_a_file.string()});
  const fs::path deep = experiment.path() / "not" / "yet" / "there";
  require_success(dry_run(experiment, "quantize", {"--out", deep.string()}));
  CHECK_FALSE(fs::exists(experiment.path() / "not"));

  fs::create_directories(experiment.output());
  write_text(experiment.output() / "quantize", "");
  require_user_error(dry_run(experiment, "quantize"),
                     {"[output]", "got a file", (experiment.output() / "quantize").string()});
  if (::geteuid() == 0) return;  // may write everywhere
  const fs::path closed = experiment.path() / "closed";
  fs::create_directories(closed);
  fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec);
  require_user_error(dry_run(experiment, "quantize", {"--out", (closed / "out").string()}),
                     {"[output]", "Permission denied", closed.string()});
}
