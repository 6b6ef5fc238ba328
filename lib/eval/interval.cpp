#include "eval/interval.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace qslaw {
namespace {

constexpr size_t kResamples = 1000;
constexpr size_t kLow = 25, kHigh = kResamples - 1 - kLow;  // 2.5 % on each side

double resampled_mean(const std::vector<double>& values, Random& random) {
  double sum = 0.0;
  for (size_t i = 0; i < values.size(); ++i)
    sum += values[random.below(values.size())];
  return sum / static_cast<double>(values.size());
}

double resampled_ratio(const std::vector<RatioPart>& parts, Random& random) {
  double sum = 0.0, weight = 0.0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const RatioPart& drawn = parts[random.below(parts.size())];
    sum += drawn.value;
    weight += drawn.weight;
  }
  return weight > 0.0 ? sum / weight : 0.0;
}

Interval percentiles(std::vector<double> estimates) {
  std::sort(estimates.begin(), estimates.end());
  return {estimates[kLow], estimates[kHigh]};
}

// Of the sum over the strata of `estimate(stratum, random)`, which draws a resample of one.
template <typename Part, typename Estimate>
std::optional<Interval> bootstrap(const std::vector<std::vector<Part>>& strata, uint64_t seed,
                                  const Estimate& estimate) {
  if (std::none_of(strata.begin(), strata.end(), [](const auto& stratum) { return stratum.size() > 1; }))
    return std::nullopt;
  std::vector<double> sums(kResamples, 0.0);
  for (size_t s = 0; s < strata.size(); ++s) {
    QSLAW_CHECK(!strata[s].empty());
    for (size_t r = 0; r < kResamples; ++r) {
      Random random(mix_seed(seed, s, r));
      sums[r] += estimate(strata[s], random);
    }
  }
  return percentiles(std::move(sums));
}

}  // namespace

std::optional<Interval> bootstrap_interval(const std::vector<std::vector<double>>& strata, uint64_t seed) {
  return bootstrap(strata, seed, resampled_mean);
}

std::optional<Interval> bootstrap_ratio_interval(const std::vector<std::vector<RatioPart>>& strata,
                                                 uint64_t seed) {
  const auto count = static_cast<double>(strata.size());
  return bootstrap(strata, seed, [count](const std::vector<RatioPart>& parts, Random& random) {
    return resampled_ratio(parts, random) / count;
  });
}

}  // namespace qslaw
