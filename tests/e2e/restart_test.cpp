// What is begun anew, gone on with or refused where a stage has left something.
#include <csignal>
#include <regex>

#include "stopped_runs.h"

namespace fs = std::filesystem;
using namespace qslaw;

TEST_CASE("an unfinished run is neither begun anew nor gone on with by accident") {
  const TinyExperiment experiment;
  experiment.write_recipe(longer(kTune, 40));
  REQUIRE(stop_at(experiment, "tune", 3, SIGTERM));
  const fs::path tune = experiment.output() / "tune";
  const auto untouched = file_times(tune);
  const auto require_refused = [&](const std::vector<std::string>& more,
                                   const std::vector<std::string>& parts) {
    require_user_error(experiment.run("tune", more), parts);
    auto dry = more;
    dry.push_back("--dry-run");
    require_user_error(experiment.run("tune", dry), parts);
    // The log is only opened once the run goes on.
    CHECK(file_times(tune) == untouched);
  };

  require_refused({}, {"--resume", "--restart", tune.string()});
  const std::string at = "step " + checkpoints(tune).at(0).substr(std::string("checkpoint-").size());
  // Yet a dry run says what there is.
  const ProgramResult plan = experiment.run("tune", {"--dry-run"});
  CHECK_THAT(plan.out, Catch::StartsWith("name: tiny\n") && Catch::Contains("Estimated peak memory") &&
                           Catch::Contains("unfinished, at " + at + ": see the error"));
  require_refused({"--resume", "--set", "tune.optimizer.lr=0.01"}, {"lr: 0.01", "--restart"});
  require_refused({"--resume", "--set", "tune.lora.rank=8"}, {"rank: 8"});
  require_refused({"--resume", "--set", "seed=6"}, {"seed 6"});
  // What changes no number may change.
  require_success(experiment.run(
      "tune", {"--resume", "--dry-run", "--set", "tune.loader_threads=1", "--set", "tune.save_every=5"}));
  require_refused({"--resume", "--set", "model.dtype=bfloat16"}, {"dtype: bfloat16"});

  const fs::path data = experiment.data("train.json");
  const std::string content = file_bytes(data);
  std::string other = content;
  other.replace(other.find("n0-"), 3, "n9-");  // another id, of the same size
  write_text(data, other);
  require_refused({"--resume"}, {data.string(), "--restart"});

  // With the same content, whatever its time, it goes on; the uninterrupted run lies beside it.
  write_text(data, content);
  touch(data);
  CHECK_THAT(experiment.run("tune", {"--resume", "--dry-run"}).out, Catch::Contains("would go on at " + at));
  require_success(experiment.run("tune", {"--resume"}));
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("tune", {"--out", expected.string()}));
  require_same_files(tune, expected / "tune", {"adapter.safetensors", "projector.safetensors"});
  CHECK(repeatable_metrics(tune) == repeatable_metrics(expected / "tune"));
}

TEST_CASE("an unfinished stage stops a run that would first do one before it anew") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + longer(kTune, 40));
  REQUIRE(stop_at(experiment, "tune", 3, SIGTERM));
  const fs::path out = experiment.output(), tune = out / "tune";
  const auto untouched = file_times(out);
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--resume"}, {}}) {
    auto more = flags;
    more.insert(more.end(), {"--set", "quantize.bits=3"});
    const std::vector<std::string> parts = {"[tune]", "bits: 3 for bits: 4", "move " + tune.string()};
    require_user_error(experiment.run("run", more), parts);
    more.push_back("--dry-run");
    require_user_error(experiment.run("run", more), parts);
  }
  CHECK(file_times(out) == untouched);
  SECTION("set back") {
    require_success(experiment.run("run", {"--resume"}));
  }
  SECTION("moved away") {
    fs::rename(tune, out / "unfinished");
    require_success(experiment.run("run", {"--set", "quantize.bits=3"}));
  }
  SECTION("or with --restart") {
    require_success(experiment.run("run", {"--restart", "--set", "quantize.bits=3"}));
  }
  CHECK(fs::exists(tune / "report.json"));
}

TEST_CASE("a run that failed before its first step is not asked about") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const fs::path tune = experiment.output() / "tune";
  const std::string name = json_file(experiment.data("train.json")).at(7).at("image");
  const fs::path picture = experiment.data("pictures") / name;
  const std::string sound = file_bytes(picture);
  const auto run = [&](const std::string& flag) {  // the first step sees all 24 samples
    std::vector<std::string> more = {"--set", "tune.batch_size=24", "--set", "tune.max_steps=6"};
    if (!flag.empty()) more.push_back(flag);
    return experiment.run("tune", more);
  };
  cut_picture(picture);
  require_user_error(run(""), {picture.string()});
  CHECK(checkpoints(tune) == std::vector<std::string>{"checkpoint-0"});

  SECTION("mended, without a flag") {
    write_text(picture, sound);
    require_success(run(""));
  }
  SECTION("mended, with --resume") {
    write_text(picture, sound);
    const ProgramResult result = run("--resume");
    require_success(result);
    CHECK_THAT(result.err, Catch::Contains("tune: no step was done and the inputs have changed"));
  }
  SECTION("as it was, with --resume") {
    const ProgramResult result = run("--resume");
    require_user_error(result, {picture.string()});
    CHECK_THAT(result.err, Catch::Contains("resumed at step 0"));
    return;
  }
  CHECK(checkpoints(tune).empty());
}

TEST_CASE("flag --restart begins anew and leaves nothing of the old run") {
  const TinyExperiment experiment;
  experiment.write_recipe(longer(kTune, 40));
  REQUIRE(stop_at(experiment, "tune", 3, SIGTERM));
  const fs::path tune = experiment.output() / "tune", expected = experiment.path() / "expected";
  const std::vector<std::string> change = {"--set", "tune.optimizer.lr=0.01"};
  auto restart = change, fresh = change;
  restart.push_back("--restart");
  fresh.insert(fresh.end(), {"--out", expected.string()});
  require_success(experiment.run("tune", restart));
  require_success(experiment.run("tune", fresh));
  require_same_files(tune, expected / "tune", {"adapter.safetensors", "projector.safetensors"});
  CHECK(repeatable_metrics(tune) == repeatable_metrics(expected / "tune"));

  // A finished run too.
  const auto before = file_times(tune);
  require_success(experiment.run("tune", restart));
  CHECK(file_times(tune).at("report.json") > before.at("report.json"));
  require_same_files(tune, expected / "tune", {"adapter.safetensors"});

  // What an earlier method left is not mistaken for the new one's: the weights of method full, say.
  require_success(experiment.run("tune", {"--set", "tune.method=full", "--set", "tune.lora=null"}));
  REQUIRE(fs::exists(tune / "model.safetensors"));
  CHECK_FALSE(fs::exists(tune / "adapter.safetensors"));
  require_success(experiment.run("tune", change));
  CHECK_FALSE(fs::exists(tune / "model.safetensors"));
  require_same_files(tune, expected / "tune", {"adapter.safetensors"});
}

TEST_CASE("flag --restart costs no result where a check fails") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + kEval + "export: {formats: [hf], dtype: float32}\n");
  require_success(experiment.run("run"));
  const auto untouched = file_times(experiment.output());
  const auto require_refused = [&](const std::vector<std::string>& commands,
                                   const std::vector<std::string>& parts) {
    for (const std::string& command : commands) {
      require_user_error(experiment.run(command, {"--restart"}), parts);
      CHECK(file_times(experiment.output()) == untouched);
    }
  };
  SECTION("of a sample") {
    nlohmann::json samples = json_file(experiment.data("train.json"));
    samples.at(7)["image"] = "lost.png";
    write_text(experiment.data("train.json"), samples.dump());
    require_refused({"tune", "run"}, {"lost.png"});
  }
  SECTION("of the recipe") {
    experiment.write_recipe(kQuantize + "  rank: 4\n");
    require_refused({"quantize", "run"}, {"recipe.yaml"});
  }
  SECTION("of the model") {
    write_text(experiment.path() / "model" / "tokenizer.json", "{\"model\": ");
    require_refused({"run"}, {"tokenizer.json"});
  }
  SECTION("of the memory") {
    experiment.write_recipe(kQuantize + std::regex_replace(kTune, std::regex("rank: 4"), "rank: 2000000000"));
    require_refused({"tune", "run"}, {"[memory]"});
  }
}

TEST_CASE("a result that was kept aside may be built on, but not where the next is to be kept") {
  const TinyExperiment experiment;
  const std::string projector =
      "tune:\n  method: projector\n  data: {kind: llava, path: data/train.json, images: data/pictures, "
      "max_length: 64}\n  max_steps: 2\n";
  experiment.write_recipe(projector);
  require_success(experiment.run("tune"));
  const fs::path tune = experiment.output() / "tune", kept = experiment.output() / "tune.previous";
  fs::rename(tune, kept);
  experiment.write_recipe(projector,
                          "{path: model, random_weights: true, dtype: float32, stages: [out/tune.previous]}");
  require_success(experiment.run("run"));
  const auto untouched = file_times(experiment.output());
  const std::vector<std::string> more = {"--set", "tune.max_steps=3"};
  const std::vector<std::string> parts = {"[tune]", kept.string(), "present result", "key model.stages"};
  for (const char* command : {"tune", "run"}) {
    require_user_error(experiment.run(command, more), parts);
    require_user_error(experiment.run(command, {more[0], more[1], "--dry-run"}), parts);
  }
  CHECK(file_times(experiment.output()) == untouched);
  require_success(experiment.run("run", {more[0], more[1], "--restart"}));
  // What it says.
  fs::rename(kept, experiment.path() / "first");
  experiment.write_recipe(projector, "{path: model, random_weights: true, dtype: float32, stages: [first]}");
  require_success(experiment.run("run"));
  CHECK(fs::exists(kept / "report.json"));
}

TEST_CASE("a finished stage that is done anew with other inputs is kept aside") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  const fs::path stage = experiment.output() / "quantize", kept = experiment.output() / "quantize.previous";
  const std::string four_bits = file_bytes(stage / "language.safetensors");
  const ProgramResult again = experiment.run("quantize", {"--set", "quantize.bits=3"});
  require_success(again);
  CHECK_THAT(again.err, Catch::Contains(kept.string()));
  CHECK(file_bytes(kept / "language.safetensors") == four_bits);
  CHECK(fs::exists(kept / "report.json"));
  // One result is kept, the newest.
  const std::string three_bits = file_bytes(stage / "language.safetensors");
  require_success(experiment.run("quantize", {"--set", "quantize.bits=2"}));
  CHECK(file_bytes(kept / "language.safetensors") == three_bits);
}

TEST_CASE("what --restart throws away need not be readable") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  const fs::path report = experiment.output() / "quantize" / "report.json";
  for (const char* command : {"quantize", "run"}) {
    write_text(report, "");
    require_user_error(experiment.run(command), {"report.json"});
    require_success(experiment.run(command, {"--restart"}));
    CHECK(json_file(report).at("status") == "complete");
  }
}

TEST_CASE("a finished stage whose file was cut is not complete") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  const fs::path packed = experiment.output() / "quantize" / "language.safetensors";
  fs::resize_file(packed, fs::file_size(packed) / 2);
  for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--dry-run"}})
    require_user_error(experiment.run("run", more), {"[quantize]", "whole", packed.string(), "--restart"});
  require_success(experiment.run("run", {"--restart"}));
}

TEST_CASE("steps whose checkpoint is lost are not begun anew unasked") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  fs::create_directories(experiment.output() / "tune");
  write_text(experiment.output() / "tune" / "metrics.jsonl", "{\"step\": 1, \"loss\": 2.0}\n");
  for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--resume"}}) {
    require_user_error(experiment.run("tune", more),
                       {"[tune]", "expected the checkpoint", "metrics.jsonl", "--restart"});
  }
  require_success(experiment.run("tune", {"--restart"}));
}
