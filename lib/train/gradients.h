// The gradients of one optimizer step.
#pragma once
#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "train/step_metrics.h"
#include "train/trainer.h"

namespace qslaw {

struct StepGradients {
  StepMetrics metrics;
  double norm = 0.0;  // over the gradients of all groups
};

/// Adds the samples' gradients to the groups' tensors, pass by pass (train/passes.h): of the mean over each
/// one's learned tokens, weighted (docs/method.md, "Loss"). `step` is the number of steps done, from which
/// dropout draws. UserError for a loss or gradient that is not finite, and where there are no gradients.
StepGradients accumulate_gradients(const TrainTask& task, int64_t step,
                                   const std::vector<LoadedSample>& samples);

/// Scales all gradients down to the norm `limit` where theirs is larger; 0 = no limit.
void clip_gradients(const std::vector<ParameterGroup>& groups, double norm, double limit);

int64_t gradient_bytes(const std::vector<ParameterGroup>& groups);

}  // namespace qslaw
