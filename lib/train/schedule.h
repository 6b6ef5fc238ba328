// Learning rate over the steps of a phase.
#pragma once
#include <cstdint>
#include <string>

namespace qslaw {

/// Steps of linear warm-up: ceil(ratio * total), as Hugging Face rounds it.
int64_t warmup_steps(double ratio, int64_t total);

/// Factor of step i (0-based) of `total`: i / w during warm-up (so the first step has rate 0 when w > 0),
/// then 0.5 (1 + cos(pi (i - w) / (total - w))) for "cosine" or 1 for "constant".
double schedule_factor(const std::string& schedule, int64_t step, int64_t warmup, int64_t total);

}  // namespace qslaw
