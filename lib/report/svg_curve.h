// One curve of a line chart.
#pragma once
#include <string>
#include <vector>

#include "report/chart_scale.h"
#include "report/chart_series.h"

namespace qslaw {

/// A path through the points, interrupted at gaps and at the borders of phases; "" without any point.
std::string curve_path(const std::vector<ChartPoint>& points, const std::vector<double>& borders,
                       const ChartScale& x, const ChartScale& y, const std::string& css_class);

/// A dot at every point, in the series' color, with its name and value as a tooltip.
std::string curve_markers(const std::vector<ChartPoint>& points, const ChartSeries& series,
                          const ChartScale& x, const ChartScale& y);

}  // namespace qslaw
