// The optimizers of a training run, one for each group of parameters.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/adamw.h"
#include "train/trainer.h"

namespace qslaw {

/// With fresh states, in the order of the task's groups.
std::vector<AdamW> make_optimizers(const TrainTask& task);

/// Steps every group by its gradients at the rate of the phase's step `phase_step` (from 0). Returns the
/// rates by group name.
nlohmann::json update_parameters(const TrainTask& task, const TrainPhase& phase, int64_t phase_step,
                                 std::vector<AdamW>& optimizers);

}  // namespace qslaw
