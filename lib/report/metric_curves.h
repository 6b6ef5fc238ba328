// Curves from the lines of metrics.jsonl.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/chart_series.h"

namespace qslaw {

/// The values of `key` over the steps. Steps without the key are passed over; null (not finite) is a gap.
/// Where a step was measured twice, the later line counts.
std::vector<ChartPoint> step_curve(const std::vector<nlohmann::json>& metrics, const std::string& key);

/// The same for `group`.`key`: {"heldout": {"text_perplexity": ...}}, {"lr": {"lora": ...}}.
std::vector<ChartPoint> nested_curve(const std::vector<nlohmann::json>& metrics, const std::string& group,
                                     const std::string& key);

/// The keys found in `group` of any line, in alphabetical order.
std::vector<std::string> nested_keys(const std::vector<nlohmann::json>& metrics, const std::string& group);

/// Where each phase but the first begins: (step, "phase 2").
std::vector<std::pair<double, std::string>> phase_marks(const std::vector<nlohmann::json>& metrics);

/// How many points are gaps.
size_t gap_count(const std::vector<ChartPoint>& points);

}  // namespace qslaw
