// A run that is stopped or killed goes on with --resume and ends as if nothing had happened, byte for byte.
#include <csignal>
#include <random>
#include <regex>
#include <thread>

#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

// Measurements: their lines must neither be lost nor doubled.
const std::string kHeldout =
    R"(  heldout: {every: 3, text: {kind: text, path: data/text_heldout.txt, max_length: 32, limit: 2}}
)";

const std::vector<std::string> kArtifacts = {"quantize/language.safetensors", "warmup/language.safetensors",
                                             "warmup/projector.safetensors",  "warmup/gamma.safetensors",
                                             "tune/projector.safetensors",    "tune/adapter.safetensors"};

void require_same_run(const fs::path& actual, const fs::path& expected) {
  require_same_files(actual, expected, kArtifacts);
  for (const char* stage : {"warmup", "tune"}) {
    INFO(stage);
    CHECK(repeatable_metrics(actual / stage) == repeatable_metrics(expected / stage));
    for (const auto& entry : fs::directory_iterator(actual / stage))
      CHECK(entry.path().filename().string().rfind("checkpoint", 0) != 0);
  }
}

std::vector<std::string> checkpoints(const fs::path& stage) {
  std::vector<std::string> names;
  if (!fs::exists(stage)) return names;
  for (const auto& entry : fs::directory_iterator(stage)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("checkpoint-", 0) == 0) names.push_back(name);
  }
  return names;
}

// The section with other numbers of steps: more than a late signal can miss.
std::string longer(const std::string& section, int steps) {
  return std::regex_replace(section, std::regex("max_steps: [0-9]+"), "max_steps: " + std::to_string(steps));
}

// Sends `signal` once the stage has written `lines` lines of metrics. False when the run was over too soon.
bool stop_at(const TinyExperiment& experiment, const std::string& stage, int64_t lines, int signal) {
  const fs::path metrics = experiment.output() / stage / "metrics.jsonl";
  RunningProgram program(experiment.arguments("run", {"--resume"}));
  if (!wait_until(program, [&] { return count_lines(metrics) >= lines; })) return false;
  program.send(signal);
  const ProgramResult result = program.wait();
  if (result.exit_code == 0) return false;
  INFO(result.err);
  CHECK(result.exit_code == 75);
  CHECK_THAT(result.err, Catch::Contains("--resume"));
  CHECK(error_lines(result).empty());
  CHECK(checkpoints(experiment.output() / stage).size() == 1);
  CHECK_FALSE(fs::exists(experiment.output() / stage / "report.json"));
  return true;
}

// Packing, warm-up and tuning, the last two stopped, leave what the same run that is not stopped does.
// Returns the folder of that one.
fs::path require_resumed_as_whole(const TinyExperiment& experiment, const std::string& model = "") {
  experiment.write_recipe(kQuantize + longer(kWarmup, 24) + longer(kTune, 40), model);
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("run", {"--out", expected.string()}));
  CHECK(stop_at(experiment, "warmup", 4, SIGTERM));
  CHECK(stop_at(experiment, "warmup", 30, SIGTERM));  // in the second phase
  CHECK(stop_at(experiment, "tune", 4, SIGTERM));
  require_success(experiment.run("run", {"--resume"}));
  require_same_run(experiment.output(), expected);
  return expected;
}

// A tuning that outlasts its test, on a stage that another run left.
void write_long_tune(const TinyExperiment& experiment, const std::string& stage) {
  experiment.write_recipe(longer(kTune, 200000),
                          "{path: model, random_weights: true, dtype: float32, stages: [" + stage + "]}");
}

bool is_tuning(RunningProgram& program, const fs::path& output) {
  return wait_until(program, [&] { return count_lines(output / "tune" / "metrics.jsonl") >= 4; });
}

}  // namespace

TEST_CASE("a run stopped by signals in warmup and tune goes on to the same bytes") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + longer(kWarmup, 24) + kHeldout + longer(kTune, 40) +
                          "  group_by: modality_length\n" + kHeldout);
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("run", {"--out", expected.string()}));

  // Lines of metrics: a step each, a measurement before and after every third.
  CHECK(stop_at(experiment, "warmup", 4, SIGTERM));
  CHECK(stop_at(experiment, "warmup", 44, SIGUSR1));  // in the second phase
  CHECK(stop_at(experiment, "tune", 4, SIGINT));
  CHECK(stop_at(experiment, "tune", 9, SIGTERM));
  require_success(experiment.run("run", {"--resume"}));
  require_same_run(experiment.output(), expected);
}

TEST_CASE("a run in bfloat16, the default, goes on to the same bytes") {
  const TinyExperiment experiment;
  const fs::path expected =
      require_resumed_as_whole(experiment, "{path: model, random_weights: true, dtype: bfloat16}");
  // It computed with 8 bits: losses near those of float32, not the same.
  experiment.write_recipe(kQuantize + longer(kWarmup, 24));
  const fs::path wide = experiment.path() / "wide";
  require_success(experiment.run("run", {"--out", wide.string()}));
  const auto first_loss = [](const fs::path& run) {
    return json_file(run / "warmup" / "report.json").at("results").at("first_loss").get<double>();
  };
  CHECK(first_loss(expected) != first_loss(wide));
  CHECK(first_loss(expected) == Approx(first_loss(wide)).epsilon(0.02));
}

TEST_CASE("with two threads a run ends with the same bytes, again and stopped") {
  const TinyExperiment experiment(2);
  const fs::path expected = require_resumed_as_whole(experiment), again = experiment.path() / "again";
  require_success(experiment.run("run", {"--out", again.string()}));
  require_same_run(again, expected);
}

TEST_CASE("a run killed at random moments always goes on and ends with the same bytes") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kWarmup + kHeldout + kTune + kHeldout);
  const fs::path expected = experiment.path() / "expected";
  const ProgramResult reference = experiment.run("run", {"--out", expected.string()});
  require_success(reference);

  std::mt19937_64 random(20240615);
  std::uniform_real_distribution<double> moment(0.0, 1.1 * reference.seconds);
  for (int kills = 0; kills < 50;) {
    RunningProgram program(experiment.arguments("run", {"--resume"}));
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    program.send(SIGKILL);
    const ProgramResult result = program.wait();
    INFO("kill " << kills << "\n" << result.err);
    if (result.signal == SIGKILL) {
      ++kills;
      continue;
    }
    require_success(result);
    require_same_run(experiment.output(), expected);
    fs::remove_all(experiment.output());
  }
  require_success(experiment.run("run", {"--resume"}));
  require_same_run(experiment.output(), expected);
}

TEST_CASE("an evaluation that is stopped while it measures losses goes on to the same numbers") {
  const TinyExperiment experiment;
  experiment.write_recipe(
      "eval:\n  benchmarks:\n"
      "    - {kind: loss, path: data/heldout.json, images: data/pictures}\n"
      "    - {kind: text_perplexity, path: data/text_heldout.txt, windows: sliding, context: 24, stride: 1, "
      "batch_size: 1}\n");
  const fs::path expected = experiment.path() / "expected", eval = experiment.output() / "eval";
  require_success(experiment.run("eval", {"--out", expected.string()}));

  RunningProgram program(experiment.arguments("eval"));
  const fs::path kept = eval / "checkpoint-answers" / "text_perplexity.jsonl";
  REQUIRE(wait_until(program, [&] { return count_lines(kept) >= 3; }));
  program.send(SIGTERM);
  const ProgramResult stopped = program.wait();
  INFO(stopped.err);
  REQUIRE(stopped.exit_code == 75);
  CHECK_THAT(stopped.err, Catch::Contains("--resume"));
  CHECK_THAT(experiment.run("eval", {"--resume", "--dry-run"}).out,
             Catch::Contains("would go on at its last finished batch"));
  require_success(experiment.run("eval", {"--resume"}));
  CHECK(json_file(eval / "report.json").at("results") ==
        json_file(expected / "eval" / "report.json").at("results"));
  require_same_files(eval, expected / "eval",
                     {"predictions/loss.jsonl", "predictions/text_perplexity.jsonl"});
  CHECK_FALSE(fs::exists(kept.parent_path()));
}

TEST_CASE("a run stopped while LibTorch is loaded ends as one that was stopped later") {
  const TinyExperiment experiment;
  experiment.write_recipe(longer(kTune, 20000));
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    INFO(signal);
    RunningProgram program(experiment.arguments("tune"));
    REQUIRE(wait_until(program, [&] { return program.has_loaded("libqslaw_program.so"); }));
    program.send(signal);
    const ProgramResult result = program.wait();
    CHECK(result.exit_code == 75);
    CHECK_THAT(result.err, Catch::Contains("stopped"));
    CHECK(error_lines(result).empty());
  }
}

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
  require_refused({"--resume", "--set", "model.dtype=bfloat16"}, {"dtype: bfloat16"});

  const fs::path data = experiment.data("train.json");
  const auto time = fs::last_write_time(data);
  const std::string content = file_bytes(data);
  write_text(data, content + "\n");
  require_refused({"--resume"}, {data.string(), "--restart"});

  // As it was before, it goes on; the uninterrupted run lies beside it.
  write_text(data, content);
  fs::last_write_time(data, time);
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

TEST_CASE("a second process is kept out of a stage's folder, a kill leaves it open") {
  const TinyExperiment experiment;
  experiment.write_recipe(longer(kTune, 200000));
  const fs::path tune = experiment.output() / "tune", lock = experiment.output() / "tune.lock";
  RunningProgram program(experiment.arguments("tune"));
  REQUIRE(wait_until(program, [&] { return count_lines(tune / "metrics.jsonl") >= 4; }));
  for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--resume"}, {"--restart"}})
    require_user_error(experiment.run("tune", flags), {"[tune]", "the only process", tune.string()});
  require_success(experiment.run("tune", {"--resume", "--dry-run"}));
  REQUIRE(program.running());
  CHECK(fs::exists(lock));
  program.send(SIGKILL);
  CHECK(program.wait().signal == SIGKILL);
  require_success(experiment.run("tune", {"--restart", "--set", "tune.max_steps=6"}));
  CHECK_FALSE(fs::exists(lock));
}

TEST_CASE("what a process builds on is not written meanwhile, but may be read") {
  const TinyExperiment experiment;
  const std::string speed = "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";
  experiment.write_recipe(kQuantize + longer(kTune, 200000) + speed);
  require_success(experiment.run("quantize"));
  const fs::path out = experiment.output(), quantize = out / "quantize";
  const auto untouched = file_times(quantize);
  RunningProgram program(experiment.arguments("tune"));
  REQUIRE(is_tuning(program, out));
  const std::vector<std::string> parts = {"[quantize]", "nothing builds on " + quantize.string(), "wait"};
  require_user_error(experiment.run("quantize", {"--restart"}), parts);
  require_user_error(experiment.run("quantize", {"--set", "quantize.bits=3"}), parts);
  require_user_error(experiment.run("run", {"--set", "quantize.bits=3"}), {"[tune]", "the only process"});
  require_user_error(experiment.run("eval"), {"[eval]", "builds on", (out / "tune").string()});
  CHECK(file_times(quantize) == untouched);
  require_success(experiment.run("quantize"));  // complete: only read

  experiment.write_recipe(speed,
                          "{path: model, random_weights: true, dtype: float32, stages: [out/quantize]}");
  require_success(experiment.run("eval", {"--out", (experiment.path() / "other").string()}));
  REQUIRE(program.running());
  CHECK(fs::exists(out / "quantize.lock"));  // still the first one's
  program.send(SIGTERM);
  CHECK(program.wait().exit_code == 75);
  CHECK_FALSE(fs::exists(out / "quantize.lock"));
}

TEST_CASE("a stage of another run is not written while it is built on") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  const fs::path link = experiment.path() / "link", other = experiment.path() / "other";
  fs::create_directory_symlink(experiment.output() / "quantize", link);
  write_long_tune(experiment, "link");
  RunningProgram program(experiment.arguments("tune", {"--out", other.string()}));
  REQUIRE(is_tuning(program, other));
  experiment.write_recipe(kQuantize);
  require_user_error(experiment.run("quantize", {"--restart"}), {"[quantize]", "nothing builds on"});
  program.send(SIGKILL);
  program.wait();
  require_success(experiment.run("quantize", {"--restart"}));
  CHECK_FALSE(fs::exists(experiment.output() / "quantize.lock"));
}

TEST_CASE("an earlier result that was kept aside is not removed while it is built on") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  require_success(experiment.run("quantize", {"--set", "quantize.bits=3"}));
  const fs::path kept = experiment.output() / "quantize.previous", other = experiment.path() / "other";
  const auto untouched = file_times(kept);
  write_long_tune(experiment, "out/quantize.previous");
  RunningProgram program(experiment.arguments("tune", {"--out", other.string()}));
  REQUIRE(is_tuning(program, other));
  experiment.write_recipe(kQuantize);
  require_user_error(experiment.run("quantize", {"--set", "quantize.bits=2"}),
                     {"[quantize]", "nothing reads " + kept.string()});
  CHECK(file_times(kept) == untouched);
  program.send(SIGKILL);
  program.wait();
  require_success(experiment.run("quantize", {"--set", "quantize.bits=2"}));
}

TEST_CASE("a stage's folder that is a link is not written while what it leads to is built on") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_success(experiment.run("quantize"));
  const fs::path real = experiment.path() / "elsewhere", other = experiment.path() / "other";
  fs::rename(experiment.output() / "quantize", real);
  fs::create_directory_symlink(real, experiment.output() / "quantize");
  write_long_tune(experiment, "elsewhere");
  RunningProgram program(experiment.arguments("tune", {"--out", other.string()}));
  REQUIRE(is_tuning(program, other));
  experiment.write_recipe(kQuantize);
  require_user_error(experiment.run("quantize", {"--restart"}), {"[quantize]", "nothing builds on"});
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

TEST_CASE("omniquant goes on behind its finished blocks") {
  const TinyExperiment experiment;
  experiment.write_recipe(
      "quantize:\n  method: omniquant\n  group_size: 32\n  omniquant: {epochs: 40}\n"
      "  calibration: {kind: llava, path: data/captions.json, images: data/pictures, samples: 8, length: "
      "64}\n");
  const fs::path quantize = experiment.output() / "quantize", expected = experiment.path() / "expected";
  RunningProgram program(experiment.arguments("run"));
  REQUIRE(wait_until(program, [&] { return fs::exists(quantize / "checkpoint-blocks" / "block-0.json"); }));
  program.send(SIGTERM);
  CHECK(program.wait().exit_code == 75);
  const auto untouched = file_times(quantize);
  require_user_error(experiment.run("quantize"), {"--resume", "--restart", quantize.string()});
  require_user_error(experiment.run("quantize", {"--resume", "--set", "seed=6"}), {"seed 6"});
  CHECK(file_times(quantize) == untouched);
  require_success(experiment.run("quantize", {"--resume"}));
  CHECK(checkpoints(quantize).empty());
  require_success(experiment.run("quantize", {"--out", expected.string()}));
  require_same_files(quantize, expected / "quantize", {"language.safetensors"});
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
