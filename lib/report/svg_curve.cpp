#include "report/svg_curve.h"

#include "core/text.h"
#include "report/markup.h"
#include "report/number_text.h"
#include "report/svg_canvas.h"

namespace qslaw {
namespace {

bool is_drawable(const ChartPoint& point) {
  return is_plottable(point.x) && is_plottable(point.y);
}

}  // namespace

std::string curve_path(const std::vector<ChartPoint>& points, const std::vector<double>& borders,
                       const ChartScale& x, const ChartScale& y, const std::string& css_class) {
  std::string path;
  for (const auto& [begin, end] : phase_ranges(points, borders)) {
    bool pen_down = false;
    for (size_t i = begin; i < end; ++i) {
      if (!is_drawable(points[i])) {
        pen_down = false;
        continue;
      }
      path += concat(pen_down ? "L" : "M", px(x.at(points[i].x)), " ", px(y.at(points[i].y)));
      // A point with gaps on both sides would have no length; a round cap makes it a dot.
      const bool goes_on = i + 1 < end && is_drawable(points[i + 1]);
      if (!pen_down && !goes_on) path += "h0.01";
      pen_down = true;
    }
  }
  return path.empty() ? "" : concat("<path class=\"", css_class, "\" d=\"", path, "\"/>");
}

std::string curve_markers(const std::vector<ChartPoint>& points, const ChartSeries& series,
                          const ChartScale& x, const ChartScale& y) {
  std::string out;
  for (const ChartPoint& point : points) {
    if (!is_drawable(point)) continue;
    const std::string tooltip = concat(series.name, ", ", format_short(point.x), ": ", format_short(point.y));
    out += concat("<circle class=\"f", series.color, "\" cx=\"", px(x.at(point.x)), "\" cy=\"",
                  px(y.at(point.y)), "\" r=\"3\"><title>", escape_markup(tooltip), "</title></circle>");
  }
  return out;
}

}  // namespace qslaw
