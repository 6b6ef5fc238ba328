#include "stopped_runs.h"

#include <regex>

namespace fs = std::filesystem;

namespace qslaw {

std::vector<std::string> checkpoints(const fs::path& stage) {
  std::vector<std::string> names;
  if (!fs::exists(stage)) return names;
  for (const auto& entry : fs::directory_iterator(stage)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("checkpoint-", 0) == 0) names.push_back(name);
  }
  return names;
}

std::string longer(const std::string& section, int steps) {
  return std::regex_replace(section, std::regex("max_steps: [0-9]+"), "max_steps: " + std::to_string(steps));
}

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

}  // namespace qslaw
