// Warnings about evaluations whose questions do not all have an answer.
#pragma once
#include <string>
#include <vector>

#include "report/run_folder.h"

namespace qslaw {

/// One line for each benchmark of `eval` with questions that nothing answered (they count as wrong), and for
/// each whose file of predictions has fewer lines than it had samples: "scienceqa: 12 of 4,241 questions
/// ...".
std::vector<std::string> missing_predictions(const RunFolder& run);

}  // namespace qslaw
