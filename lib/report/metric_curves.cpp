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

// Phases count from 0 in the file, from 1 for people.
std::vector<std::pair<double, std::string>> phase_starts(const std::vector<json>& metrics) {
  std::vector<std::pair<double, std::string>> starts;
  double current = std::nan("");
  for (const json& line : metrics) {
    const auto step = number_at(line, "step"), phase = number_at(line, "phase");
    if (!step || !phase || *phase == current) continue;
    starts.emplace_back(*step, "phase " + format_short(*phase + 1));
    current = *phase;
  }
  return starts;
}

std::string phase_name(const std::vector<json>& metrics, double step) {
  std::string name;
  for (const auto& [start, phase] : phase_starts(metrics)) {
    if (start <= step) name = phase;
  }
  return name;
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
  auto marks = phase_starts(metrics);
  if (!marks.empty()) marks.erase(marks.begin());
  for (auto& [step, name] : marks)
    step -= 1;
  return marks;
}

std::vector<double> phase_borders(const std::vector<json>& metrics) {
  std::vector<double> borders;
  for (const auto& [done, name] : phase_marks(metrics))
    borders.push_back(done + 1);
  return borders;
}

Table phase_table(const std::vector<json>& metrics, const std::string& key, const std::string& name) {
  Table table{"", {"phase", "steps", "first " + name, "last " + name}, {}};
  auto points = step_curve(metrics, key);
  std::erase_if(points, [](const ChartPoint& point) { return !is_plottable(point.y); });
  for (const auto& [begin, end] : phase_ranges(points, phase_borders(metrics))) {
    const ChartPoint &first = points[begin], &last = points[end - 1];
    const std::string steps = format_metric("step", first.x);
    table.add_row({cell(phase_name(metrics, first.x)),
                   cell(first.x < last.x ? steps + " to " + format_metric("step", last.x) : steps),
                   short_cell(first.y), short_cell(last.y)});
  }
  return table;
}

size_t gap_count(const std::vector<ChartPoint>& points) {
  return static_cast<size_t>(
      std::count_if(points.begin(), points.end(), [](const ChartPoint& p) { return !is_plottable(p.y); }));
}

}  // namespace qslaw
