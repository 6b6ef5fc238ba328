// Runs that are stopped in the middle.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tiny_experiment.h"

namespace qslaw {

/// Names of the checkpoints in a stage's folder.
std::vector<std::string> checkpoints(const std::filesystem::path& stage);

/// The section with other numbers of steps: more than a late signal can miss.
std::string longer(const std::string& section, int steps);

/// Sends `signal` once the stage has written `lines` lines of metrics, and checks how the run ends. False
/// when it was over too soon.
bool stop_at(const TinyExperiment& experiment, const std::string& stage, int64_t lines, int signal);

}  // namespace qslaw
