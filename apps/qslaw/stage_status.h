// What a command would do with each stage, for --dry-run and for what is looked at before the first one.
#pragma once
#include <string>
#include <vector>

#include "experiment.h"

namespace qslaw {

struct StageStatus {
  std::string stage;
  std::string text;  // "complete", "new", "would go on at step 20", "would be done anew: bits: 3 for bits: 4"
  bool complete = false;
};

/// Of `stages`, in their order, without changing anything. UserError as find_state, for stages whose
/// predecessors are complete: what the others begin with is not known yet.
std::vector<StageStatus> stage_statuses(const Experiment& experiment, const std::vector<std::string>& stages);

}  // namespace qslaw
