// What decides a stage's result, as text, so that it can be told what has changed.
#pragma once
#include <filesystem>
#include <string>

#include "experiment.h"

namespace qslaw {

/// Where a stage keeps the inputs it began with.
inline constexpr const char* kInputsFile = "inputs.txt";

/// Everything that decides a stage's result, one thing per line: its resolved section, the model section,
/// seed, the sizes and times of the files they name, and the reports of the stages before it. Its SHA-256 is
/// the stage's fingerprint.
std::string stage_inputs(const Experiment& experiment, const std::string& stage);

/// The first input that is another one than when the stage in `folder` began: "bits: 3 for bits: 4"; empty
/// when none is.
std::string changed_input(const std::filesystem::path& folder, const std::string& inputs);

}  // namespace qslaw
