// Memory that is refused while a stage computes: what the stage was estimated to need, and what lowers it.
#pragma once
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "stage_needs.h"

namespace qslaw {

/// "not enough host memory" or "not enough device memory: REASON"; none for any other error.
std::optional<std::string> refused_memory(const std::exception& error);

/// Prints the stage's row of the dry run's table on stderr and throws a UserError with the estimate and three
/// remedies. `refused`: as above; `needs`: of the stages that this process was about to do. Returns where
/// the stage is not among them.
void fail_for_memory(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                     const std::string& stage, const std::string& refused);

}  // namespace qslaw
