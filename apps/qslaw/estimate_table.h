// The table of what stages need: of a dry run, and where memory is refused.
#pragma once
#include <vector>

#include "report/table.h"
#include "stage_needs.h"
#include "stage_times.h"

namespace qslaw {

/// A row per stage. `times`: one for each, or none at all.
Table estimate_table(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                     const std::vector<StageTime>& times);

}  // namespace qslaw
