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
  std::string problem = {};  // the error that the command would end with; empty: none
};

/// Of `stages`, in their order, without changing anything. Problems are find_state's, for stages whose
/// predecessors are complete: what the others begin with is not known yet. Of those, what an unfinished run
/// has done is one, as it could not go on once a stage before it, which may take hours, has left something
/// else.
std::vector<StageStatus> stage_statuses(const Experiment& experiment, const std::vector<std::string>& stages);

/// UserError with the first problem, if there is one.
void require_no_problem(const std::vector<StageStatus>& statuses);

}  // namespace qslaw
