// Shares in percent and intervals, as results state them.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/interval.h"

namespace qslaw {

/// 100 part / whole; null of a whole of 0.
nlohmann::json percent_of(double part, double whole);

/// The mean of scores of 0 to 1, in percent; null without any.
nlohmann::json mean_percent(const std::vector<double>& scores);

/// `<key>_low` and `<key>_high`, times `scale`; nulls without an interval.
void add_interval(nlohmann::json& result, const std::string& key, const std::optional<Interval>& interval,
                  double scale = 1.0);

/// `key` and its bootstrap interval, in percent, of scores of 0 to 1.
void add_accuracy(nlohmann::json& result, const std::string& key, const std::vector<double>& scores,
                  uint64_t seed);

}  // namespace qslaw
