#include "eval/accuracy.h"

#include "eval/interval.h"

namespace qslaw {

nlohmann::json mean_percent(const std::vector<double>& scores) {
  if (scores.empty()) return nullptr;
  double sum = 0.0;
  for (const double score : scores)
    sum += score;
  return 100.0 * sum / static_cast<double>(scores.size());
}

void add_accuracy(nlohmann::json& result, const std::string& key, const std::vector<double>& scores,
                  uint64_t seed) {
  result[key] = mean_percent(scores);
  result[key + "_low"] = result[key + "_high"] = nullptr;
  if (scores.empty()) return;
  const Interval interval = bootstrap_interval({scores}, seed);
  result[key + "_low"] = 100.0 * interval.low;
  result[key + "_high"] = 100.0 * interval.high;
}

}  // namespace qslaw
