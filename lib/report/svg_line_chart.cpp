#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "report/number_text.h"
#include "report/svg_canvas.h"
#include "report/svg_curve.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

constexpr double kLogFactor = 30;
constexpr size_t kMostMarkers = 45;
constexpr size_t kMostWithRaw = 3;

struct DrawnSeries {
  ChartSeries series;
  std::vector<ChartPoint> raw;   // empty when the curve is not smoothed
  std::vector<ChartPoint> line;  // what carries the color
};

struct DrawnChart {
  std::vector<DrawnSeries> series;
  ValueRange x, y;
  bool log = false;
};

DrawnSeries prepare(const LineChart& chart, const ChartSeries& series) {
  const size_t half = chart.smooth ? smoothing_half_width(series.points.size()) : 0;
  if (half == 0) return {series, {}, series.points};
  const bool with_raw = chart.series.size() <= kMostWithRaw;
  return {series, with_raw ? series.points : std::vector<ChartPoint>{},
          smoothed_points(series.points, half, series.borders)};
}

// A few wild steps must not press the curve flat: of the raw values only the middle 99 % count for the range.
ValueRange value_range(const std::vector<DrawnSeries>& series) {
  ValueRange range;
  for (const DrawnSeries& one : series) {
    std::vector<double> raw;
    for (const ChartPoint& point : one.raw)
      raw.push_back(point.y);
    if (!raw.empty()) {
      range.include(value_at_share(raw, 0.005));
      range.include(value_at_share(raw, 0.995));
    }
    for (const ChartPoint& point : one.line)
      range.include(point.y);
  }
  return range;
}

bool all_positive(const std::vector<DrawnSeries>& series) {
  for (const DrawnSeries& one : series) {
    for (const ChartPoint& point : one.series.points) {
      if (is_plottable(point.y) && point.y <= 0) return false;
    }
  }
  return true;
}

// Noise alone is no reason for a logarithm: the lines decide, not the single values.
bool use_log(const LineChart& chart, const std::vector<DrawnSeries>& series) {
  ValueRange range;
  for (const DrawnSeries& one : series) {
    for (const ChartPoint& point : one.line)
      range.include(point.y);
  }
  if (chart.from_zero || chart.y_axis == ValueAxis::kLinear || range.empty || !all_positive(series))
    return false;
  return chart.y_axis == ValueAxis::kLog || range.high > kLogFactor * range.low;
}

DrawnChart prepare(const LineChart& chart) {
  DrawnChart drawn;
  for (const ChartSeries& series : chart.series) {
    drawn.series.push_back(prepare(chart, series));
    for (const ChartPoint& point : series.points) {
      if (is_plottable(point.y)) drawn.x.include(point.x);
    }
  }
  drawn.y = value_range(drawn.series);
  if (chart.from_zero && !drawn.y.empty) drawn.y.include(0);
  drawn.log = use_log(chart, drawn.series);
  return drawn;
}

std::string draw_series(const DrawnSeries& drawn, const ChartScale& x, const ChartScale& y,
                        const ChartFrame& frame) {
  const auto buckets = static_cast<size_t>(frame.width / 2);
  const std::string color = concat("s", drawn.series.color);
  std::string out;
  if (!drawn.raw.empty())
    out += curve_path(thinned_points(drawn.raw, buckets), drawn.series.borders, x, y, "faint " + color);
  const std::string dash = drawn.series.dash > 0 ? concat(" d", drawn.series.dash) : "";
  out += curve_path(thinned_points(drawn.line, buckets), drawn.series.borders, x, y, "curve " + color + dash);
  if (drawn.raw.empty() && drawn.line.size() <= kMostMarkers)
    out += curve_markers(drawn.line, drawn.series, x, y);
  return out;
}

std::string value_title(const LineChart& chart, bool log) {
  if (!log) return chart.y_title;
  return chart.y_title.empty() ? "log scale" : chart.y_title + ", log scale";
}

Html draw(const LineChart& chart, const DrawnChart& drawn, const ChartFrame& frame) {
  const std::string y_title = value_title(chart, drawn.log);
  const ValueRange y_range = padded_range(drawn.y, 0.06, drawn.log);
  const auto y_ticks =
      drawn.log ? log_ticks(y_range.low, y_range.high) : linear_ticks(y_range.low, y_range.high, 5);
  const PlotArea area = plot_area(frame, y_ticks, !y_title.empty(), !chart.marks.empty());
  const ValueRange x_range = padded_range(drawn.x, 0, false);
  const ChartScale x{x_range.low, x_range.high, area.left + 4, area.right, false};
  const ChartScale y{y_range.low, y_range.high, area.bottom, area.top, drawn.log};
  const auto x_ticks = linear_ticks(x_range.low, x_range.high, frame.narrow ? 4 : 7, chart.whole_x);
  std::string out = draw_y_axis(area, y, y_ticks, y_title);
  out += draw_x_axis(area, x, x_ticks, chart.x_title) + draw_marks(area, x, chart.marks);
  // An inner <svg> cuts off what lies outside of the plot, without the identifier a clip path would need.
  const double width = frame.width - area.left, height = area.bottom - area.top + 4;
  out += concat("<svg x=\"", px(area.left), "\" y=\"", px(area.top - 4), "\" width=\"", px(width),
                "\" height=\"", px(height + 4), "\" viewBox=\"", px(area.left), " ", px(area.top - 4), " ",
                px(width), " ", px(height + 4), "\">");
  for (const DrawnSeries& series : drawn.series)
    out += draw_series(series, x, y, frame);
  return svg_root(frame, chart.description, out + "</svg>");
}

Html swatch(int color, int dash) {
  return {concat("<svg class=\"swatch\" viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"curve s",
                 color, dash > 0 ? concat(" d", dash) : std::string(), "\" d=\"M2 5H24\"/></svg>")};
}

Html legend(const LineChart& chart, const DrawnChart& drawn) {
  if (!chart.last_values && drawn.series.size() == 1) return {};
  Html items;
  for (const DrawnSeries& one : drawn.series) {
    double last = std::nan("");
    for (const ChartPoint& point : one.line)
      last = is_plottable(point.y) ? point.y : last;
    Html item = swatch(one.series.color, one.series.dash);
    // The title may name a lone curve already.
    const bool named = drawn.series.size() > 1 || chart.names_lone;
    item += html_element("span", "", html_text(named ? one.series.name : "at the end"));
    if (chart.last_values) item += html_element("b", "", html_text(format_short(last)));
    items += html_element("li", "", item);
  }
  return html_element("ul", "legend", items);
}

}  // namespace

Html line_chart(const LineChart& chart) {
  const auto has_points = [](const ChartSeries& series) { return !series.points.empty(); };
  if (std::none_of(chart.series.begin(), chart.series.end(), has_points)) return {};
  const DrawnChart drawn = prepare(chart);
  if (drawn.y.empty) return nothing_finite();
  Html out = legend(chart, drawn);
  out += both_sizes([&](const ChartFrame& frame) { return draw(chart, drawn, frame); });
  return out;
}

}  // namespace qslaw
