// Confidence intervals by bootstrap.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace qslaw {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// 95 % percentile interval of the sum of the strata's means, from 1000 resamples in which every stratum is
/// drawn with replacement from itself (Efron 1979). The same seed gives the same interval. Nothing unless
/// some stratum has two values: one alone says nothing of the spread. REQUIRES: no stratum is empty.
std::optional<Interval> bootstrap_interval(const std::vector<std::vector<double>>& strata, uint64_t seed);

/// A part of sum(value) / sum(weight).
struct RatioPart {
  double value = 0.0;
  double weight = 0.0;  // not below 0
};

/// The same of the mean over the strata of sum(value) / sum(weight), where a part is drawn with its weight. A
/// stratum of which a resample has no weight counts as 0 there. Nothing unless some stratum has two parts.
/// REQUIRES: no stratum is empty.
std::optional<Interval> bootstrap_ratio_interval(const std::vector<std::vector<RatioPart>>& strata,
                                                 uint64_t seed);

}  // namespace qslaw
