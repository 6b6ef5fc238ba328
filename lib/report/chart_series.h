// Curves of a line chart and what is done to them before they are drawn.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace qslaw {

struct ChartPoint {
  double x;
  double y;  // not plottable: a gap in the line
};

/// One curve. Colors are 1 to 8 of the page's palette; dashes 0 (solid) to 4.
struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;  // by ascending x
  int color = 1;
  int dash = 0;
  std::vector<double> borders = {};  // ascending x at which another phase begins
};

inline constexpr int kColorCount = 8;
inline constexpr int kDashCount = 5;

/// The points from each border up to the next as [begin, end); phases without points are left out.
std::vector<std::pair<size_t, size_t>> phase_ranges(const std::vector<ChartPoint>& points,
                                                    const std::vector<double>& borders);

/// The curve's mean over the points of the same phase within `half` places on both sides (fewer at a phase's
/// ends). Gaps are passed over, and stay gaps.
std::vector<ChartPoint> smoothed_points(const std::vector<ChartPoint>& points, size_t half,
                                        const std::vector<double>& borders = {});

/// At most about 2 * `buckets` points: the lowest and the highest of each bucket, so that no spike is lost,
/// and every gap.
std::vector<ChartPoint> thinned_points(const std::vector<ChartPoint>& points, size_t buckets);

/// The half width used for a curve of `count` points: 0 (no smoothing) for short ones.
size_t smoothing_half_width(size_t count);

/// The value below which `share` of the plottable values lie; 0 when there are none.
double value_at_share(std::vector<double> values, double share);

}  // namespace qslaw
