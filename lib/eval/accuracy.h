// Accuracies in percent, with their intervals, as results state them.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace qslaw {

/// The mean of scores of 0 to 1, in percent; null without any.
nlohmann::json mean_percent(const std::vector<double>& scores);

/// `key` and, as `<key>_low` and `<key>_high`, its bootstrap interval, in percent, of scores of 0 to 1; nulls
/// without any.
void add_accuracy(nlohmann::json& result, const std::string& key, const std::vector<double>& scores,
                  uint64_t seed);

}  // namespace qslaw
