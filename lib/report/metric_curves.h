// Curves from the lines of metrics.jsonl.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/chart_series.h"
#include "report/table.h"

namespace qslaw {

/// The values of `key` over the steps. Steps without the key are passed over; null (not finite) is a gap.
/// Where a step was measured twice, the later line counts.
std::vector<ChartPoint> step_curve(const std::vector<nlohmann::json>& metrics, const std::string& key);

/// The same for `group`.`key`: {"heldout": {"text_perplexity": ...}}, {"lr": {"lora": ...}}.
std::vector<ChartPoint> nested_curve(const std::vector<nlohmann::json>& metrics, const std::string& group,
                                     const std::string& key);

/// The keys found in `group` of any line, in alphabetical order.
std::vector<std::string> nested_keys(const std::vector<nlohmann::json>& metrics, const std::string& group);

/// Where each phase but the first begins, in steps done: (20, "phase 2") where its first step is the 21st.
std::vector<std::pair<double, std::string>> phase_marks(const std::vector<nlohmann::json>& metrics);

/// The first step of each phase but the first: a curve's borders.
std::vector<double> phase_borders(const std::vector<nlohmann::json>& metrics);

/// What a curve begins and ends with in each phase, one row per phase: its name, its steps ("1 to 20"), the
/// first and the last value. Gaps do not count.
Table phase_table(const std::vector<nlohmann::json>& metrics, const std::string& key,
                  const std::string& name);

/// How many points are gaps.
size_t gap_count(const std::vector<ChartPoint>& points);

}  // namespace qslaw
