#include "report/chart_series.h"

#include <algorithm>

#include "report/chart_scale.h"

namespace qslaw {
namespace {

constexpr size_t kFewPoints = 40;

// The lowest and the highest point of [begin, end) in the order of x; a gap is kept as one point.
void append_extremes(const std::vector<ChartPoint>& points, size_t begin, size_t end,
                     std::vector<ChartPoint>& out) {
  size_t low = end, high = end, gap = end;
  for (size_t i = begin; i < end; ++i) {
    if (!is_plottable(points[i].y)) {
      gap = i;
      continue;
    }
    if (low == end || points[i].y < points[low].y) low = i;
    if (high == end || points[i].y > points[high].y) high = i;
  }
  std::vector<size_t> chosen;
  for (size_t i : {low, high, gap}) {
    if (i < end) chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  for (size_t i : chosen)
    out.push_back(points[i]);
}

}  // namespace

std::vector<std::pair<size_t, size_t>> phase_ranges(const std::vector<ChartPoint>& points,
                                                    const std::vector<double>& borders) {
  std::vector<std::pair<size_t, size_t>> ranges;
  size_t begin = 0;
  const auto close = [&](size_t end) {
    if (end > begin) ranges.emplace_back(begin, end);
    begin = end;
  };
  for (double border : borders) {
    const auto first = std::find_if(points.begin() + static_cast<std::ptrdiff_t>(begin), points.end(),
                                    [&](const ChartPoint& p) { return p.x >= border; });
    close(static_cast<size_t>(first - points.begin()));
  }
  close(points.size());
  return ranges;
}

std::vector<ChartPoint> smoothed_points(const std::vector<ChartPoint>& points, size_t half,
                                        const std::vector<double>& borders) {
  // Running sums: a curve may have a million points.
  std::vector<double> sums(points.size() + 1, 0.0);
  std::vector<size_t> counts(points.size() + 1, 0);
  for (size_t i = 0; i < points.size(); ++i) {
    const bool present = is_plottable(points[i].y);
    sums[i + 1] = sums[i] + (present ? points[i].y : 0.0);
    counts[i + 1] = counts[i] + (present ? 1 : 0);
  }
  std::vector<ChartPoint> out = points;
  for (const auto& [phase_begin, phase_end] : phase_ranges(points, borders)) {
    for (size_t i = phase_begin; i < phase_end; ++i) {
      if (!is_plottable(points[i].y)) continue;
      const size_t begin = std::max(phase_begin, i > half ? i - half : 0);
      const size_t end = std::min(phase_end, i + half + 1);
      out[i].y = (sums[end] - sums[begin]) / static_cast<double>(counts[end] - counts[begin]);
    }
  }
  return out;
}

std::vector<ChartPoint> thinned_points(const std::vector<ChartPoint>& points, size_t buckets) {
  if (points.size() <= 2 * buckets) return points;
  std::vector<ChartPoint> out;
  for (size_t b = 0; b < buckets; ++b) {
    append_extremes(points, b * points.size() / buckets, (b + 1) * points.size() / buckets, out);
  }
  return out;
}

size_t smoothing_half_width(size_t count) {
  return count < kFewPoints ? 0 : std::max<size_t>(2, count / 40);
}

double value_at_share(std::vector<double> values, double share) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return !is_plottable(v); }),
               values.end());
  if (values.empty()) return 0;
  const auto place = static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place), values.end());
  return values[place];
}

}  // namespace qslaw
