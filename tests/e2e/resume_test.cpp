// A run that is stopped or killed goes on with --resume and ends as if nothing had happened, byte for byte.
#include <csignal>
#include <random>
#include <thread>

#include "stopped_runs.h"

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

// Samples per pass of both sections.
const std::string kPairs = "  micro_batch_size: 2\n";

// The section with `lines` in the place of these.
std::string with_loop(std::string section, const std::string& lines) {
  return section.replace(section.find(kPairs), kPairs.size(), lines);
}

// Quantization, warm-up and tuning, the last two stopped, leave what the same run that is not stopped does.
// Returns the folder of that one. `loop`: as in with_loop.
fs::path require_resumed_as_whole(const TinyExperiment& experiment, const std::string& model = "",
                                  const std::string& loop = kPairs) {
  experiment.write_recipe(
      kQuantize + with_loop(longer(kWarmup, 24), loop) + with_loop(longer(kTune, 40), loop), model);
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("run", {"--out", expected.string()}));
  CHECK(stop_at(experiment, "warmup", 4, SIGTERM));
  CHECK(stop_at(experiment, "warmup", 30, SIGTERM));  // in the second phase
  CHECK(stop_at(experiment, "tune", 4, SIGTERM));
  require_success(experiment.run("run", {"--resume"}));
  require_same_run(experiment.output(), expected);
  return expected;
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
  CHECK(fs::exists(experiment.output() / "report.html"));
  CHECK(stop_at(experiment, "warmup", 44, SIGUSR1));  // in the second phase
  CHECK(stop_at(experiment, "tune", 4, SIGINT));
  CHECK(stop_at(experiment, "tune", 9, SIGHUP));
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

TEST_CASE("packed rows learn what padded ones do, and a stopped run goes on to the same bytes") {
  const TinyExperiment experiment;
  const fs::path packed = require_resumed_as_whole(experiment, "", kPairs + "  packing: true\n");
  experiment.write_recipe(kQuantize + longer(kWarmup, 24));
  const fs::path padded = experiment.path() / "padded";
  require_success(experiment.run("run", {"--out", padded.string()}));
  const auto of_packed = repeatable_metrics(packed / "warmup"),
             of_padded = repeatable_metrics(padded / "warmup");
  // Float32 sums in another order; AdamW's first steps divide by gradients near zero, so only the first is
  // even.
  for (const char* what : {"loss", "grad_norm"})
    CHECK(of_packed.at(0).at(what).get<double>() ==
          Approx(of_padded.at(0).at(what).get<double>()).epsilon(1e-4));
  CHECK(of_packed.back().at("loss").get<double>() ==
        Approx(of_padded.back().at("loss").get<double>()).epsilon(0.05));
}

TEST_CASE("full rows begin with the same loss, and a stopped run goes on to the same bytes") {
  const TinyExperiment experiment;
  // Samples have at most 64 tokens, and a step four of them.
  const fs::path full = require_resumed_as_whole(experiment, "", "  packing: true\n  packed_length: 80\n");
  experiment.write_recipe(kQuantize + longer(kWarmup, 24));
  const fs::path padded = experiment.path() / "padded";
  require_success(experiment.run("run", {"--out", padded.string()}));
  // The weights of the first step are those that were given: the loss that is told is the mean over its
  // tokens in every mode. Float32 sums in another order.
  const auto of_full = repeatable_metrics(full / "warmup").at(0),
             of_padded = repeatable_metrics(padded / "warmup").at(0);
  for (const char* what : {"loss", "loss_picture"})
    CHECK(of_full.at(what).get<double>() == Approx(of_padded.at(what).get<double>()).epsilon(1e-4));
  CHECK(of_full.at("samples_picture") == of_padded.at("samples_picture"));
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
  // A dry run goes by the seconds of the blocks that are finished, if their inputs are the present ones.
  const auto time_from = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--dry-run", "--json"});
    const ProgramResult dry = experiment.run("quantize", words);
    return nlohmann::json::parse(dry.out).at("estimate").at("rows").at(0).at("time from").get<std::string>();
  };
  CHECK_THAT(time_from({"--resume"}), Catch::Contains("finished block"));
  CHECK_THAT(time_from({"--restart", "--set", "seed=6"}), Catch::StartsWith("a measured step of one block"));
  CHECK(file_times(quantize) == untouched);
  require_success(experiment.run("quantize", {"--resume"}));
  CHECK(checkpoints(quantize).empty());
  require_success(experiment.run("quantize", {"--out", expected.string()}));
  require_same_files(quantize, expected / "quantize", {"language.safetensors"});
}
