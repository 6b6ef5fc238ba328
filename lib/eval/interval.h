// Confidence intervals by bootstrap.
#pragma once
#include <cstdint>
#include <vector>

namespace qslaw {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// 95 % percentile interval of the sum of the strata's means, from 1000 resamples in which every stratum is
/// drawn with replacement from itself (Efron 1979). The same seed gives the same interval. REQUIRES: no
/// stratum is empty.
Interval bootstrap_interval(const std::vector<std::vector<double>>& strata, uint64_t seed);

/// The same of sum(values) / sum(weights), where an entry is drawn with its weight. REQUIRES: as many values
/// as weights, at least one, every weight above 0.
Interval bootstrap_ratio_interval(const std::vector<double>& values, const std::vector<double>& weights,
                                  uint64_t seed);

}  // namespace qslaw
