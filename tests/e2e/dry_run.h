// Dry runs of a tiny experiment.
#pragma once
#include "tiny_experiment.h"

namespace qslaw {

using Words = std::vector<std::string>;

// Keys of benchmarks over the experiment's files.
inline const std::string kHeldout = "path: data/heldout.json, images: data/pictures";
inline const std::string kProblems =
    "problems: data/problems.json, splits: data/splits.json, images: data/pictures";

/// An eval section with one benchmark.
inline std::string benchmark(const std::string& keys) {
  return "eval:\n  benchmarks:\n    - {" + keys + "}\n";
}

inline ProgramResult dry_run(const TinyExperiment& experiment, const std::string& command, Words more = {}) {
  more.insert(more.end(), {"--dry-run", "--json"});
  return experiment.run(command, more);
}

}  // namespace qslaw
