#include "report/metric_curves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/text.h"
#include "report/chart_scale.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

using nlohmann::json;

template <typename Select>
std::vector<ChartPoint> curve(const std::vector<json>& metrics, const std::string& key, Select select) {
  std::map<double, double> by_step;
  for (const json& line : metrics) {
    const json& object = select(line);
    const auto step = number_at(line, "step");
    if (!step || !object.is_object() || !object.contains(key)) continue;
    by_step[*step] = number_at(object, key).value_or(std::nan(""));
  }
  std::vector<ChartPoint> points;
  for (const auto& [step, value] : by_step)
    points.push_back({step, value});
  return points;
}

}  // namespace

std::vector<ChartPoint> step_curve(const std::vector<json>& metrics, const std::string& key) {
  return curve(metrics, key, [](const json& line) -> const json& { return line; });
}

std::vector<ChartPoint> nested_curve(const std::vector<json>& metrics, const std::string& group,
                                     const std::string& key) {
  return curve(metrics, key, [&](const json& line) -> const json& { return member_at(line, group); });
}

std::vector<std::string> nested_keys(const std::vector<json>& metrics, const std::string& group) {
  std::set<std::string> keys;
  for (const json& line : metrics) {
    const json& object = member_at(line, group);
    if (!object.is_object()) continue;
    for (const auto& [key, value] : object.items())
      keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

std::vector<std::pair<double, std::string>> phase_marks(const std::vector<json>& metrics) {
  std::vector<std::pair<double, std::string>> marks;
  double current = std::nan("");
  for (const json& line : metrics) {
    const auto step = number_at(line, "step");
    const auto phase = number_at(line, "phase");
    if (!step || !phase || *phase == current) continue;
    // Phases count from 0 in the file, from 1 for people.
    if (!std::isnan(current)) marks.emplace_back(*step, "phase " + format_short(*phase + 1));
    current = *phase;
  }
  return marks;
}

size_t gap_count(const std::vector<ChartPoint>& points) {
  return static_cast<size_t>(
      std::count_if(points.begin(), points.end(), [](const ChartPoint& p) { return !is_plottable(p.y); }));
}

}  // namespace qslaw
