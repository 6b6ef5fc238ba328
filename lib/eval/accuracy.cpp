#include "eval/accuracy.h"

#include <numeric>

namespace qslaw {

nlohmann::json percent_of(double part, double whole) {
  if (whole == 0.0) return nullptr;
  return 100.0 * part / whole;
}

nlohmann::json mean_percent(const std::vector<double>& scores) {
  return percent_of(std::accumulate(scores.begin(), scores.end(), 0.0), static_cast<double>(scores.size()));
}

void add_interval(nlohmann::json& result, const std::string& key, const std::optional<Interval>& interval,
                  double scale) {
  result[key + "_low"] = interval ? nlohmann::json(scale * interval->low) : nlohmann::json();
  result[key + "_high"] = interval ? nlohmann::json(scale * interval->high) : nlohmann::json();
}

void add_accuracy(nlohmann::json& result, const std::string& key, const std::vector<double>& scores,
                  uint64_t seed) {
  result[key] = mean_percent(scores);
  add_interval(result, key, scores.empty() ? std::nullopt : bootstrap_interval({scores}, seed), 100.0);
}

}  // namespace qslaw
