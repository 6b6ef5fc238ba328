// What decides a stage's result, as text, so that it can be told what has changed.
#pragma once
#include <filesystem>
#include <string>

#include "experiment.h"

namespace qslaw {

/// Where a stage keeps the inputs it began with.
inline constexpr const char* kInputsFile = "inputs.txt";

/// Everything that decides a stage's result, one thing per line: its resolved section, the model section,
/// seed, the sizes and times of the files they name, those of up to 10,000 pictures that each of its data
/// sets names, and what the stages before it left. Data and pictures are looked at by the first call for a
/// stage; what the stages before it left, by every one. Kept with a digest of each file (input_lines.h), it
/// is what a later start is compared with; its SHA-256 is the stage's fingerprint.
std::string stage_inputs(const Experiment& experiment, const std::string& stage);

/// How the present inputs differ from those that a stage began with.
struct InputChange {
  /// The first that is another one: "bits: 3 for bits: 4", "the changed file /data/a.json"; empty: none. The
  /// device only where nothing else is.
  std::string what;
  bool only_device = false;
};
InputChange compare_inputs(const std::string& begun, const std::string& now);
/// The same with the stage in `folder`.
InputChange changed_inputs(const std::filesystem::path& folder, const std::string& inputs);
/// The same with what `stage` has left, but for what the stages before it leave.
InputChange changed_own_inputs(const Experiment& experiment, const std::string& stage);

}  // namespace qslaw
