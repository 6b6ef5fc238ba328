// One process at a time writes a stage, and none what another builds on.
#include <csignal>

#include "stopped_runs.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

// A tuning that outlasts its test, on a stage that another run left.
void write_long_tune(const TinyExperiment& experiment, const std::string& stage) {
  experiment.write_recipe(longer(kTune, 200000),
                          "{path: model, random_weights: true, dtype: float32, stages: [" + stage + "]}");
}

bool is_tuning(RunningProgram& program, const fs::path& output) {
  return wait_until(program, [&] { return count_lines(output / "tune" / "metrics.jsonl") >= 4; });
}

}  // namespace

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
