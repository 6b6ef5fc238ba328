// What the terminal shows of a finished stage.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "report/stage_report.h"
#include "report/table.h"

namespace qslaw {

/// Time, peak memory, and the numbers, texts and paths of the results. First and last loss stand there for
/// each phase where `metrics`, the stage's, have several: losses on different data are not comparable.
Table stage_table(const StageReport& report, const std::vector<nlohmann::json>& metrics);

}  // namespace qslaw
