#include "train/schedule.h"

#include <algorithm>
#include <cmath>

namespace qslaw {

int64_t warmup_steps(double ratio, int64_t total) {
  return static_cast<int64_t>(std::ceil(ratio * static_cast<double>(total)));
}

double schedule_factor(const std::string& schedule, int64_t step, int64_t warmup, int64_t total) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(warmup, 1));
  if (schedule == "constant") return 1.0;
  const double progress =
      static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(total - warmup, 1));
  return 0.5 * (1.0 + std::cos(M_PI * progress));
}

}  // namespace qslaw
