#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "report/number_text.h"
#include "report/svg_canvas.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

constexpr double kWidestBox = 18;

std::vector<ChartTick> index_ticks(const std::vector<std::string>& labels) {
  std::vector<ChartTick> ticks;
  for (size_t i = 0; i < labels.size(); ++i)
    ticks.push_back({static_cast<double>(i), labels[i]});
  return ticks;
}

// A layer's number; its place where labels are no numbers.
size_t label_number(const ChartTick& tick) {
  const bool digits = !tick.text.empty() && tick.text.size() <= 9 &&
                      tick.text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? static_cast<size_t>(std::stoul(tick.text)) : static_cast<size_t>(tick.value);
}

// Every second, fifth, tenth, ... label, so that what is shown follows a rule.
std::vector<ChartTick> spaced_ticks(const std::vector<std::string>& labels, double pitch) {
  double widest = 0;
  for (const std::string& label : labels)
    widest = std::max(widest, text_width(label) + 6);
  size_t stride = 1;
  for (size_t candidate : {2, 5, 10, 20, 50, 100, 200, 500}) {
    if (static_cast<double>(stride) * pitch >= widest) break;
    stride = candidate;
  }
  std::vector<ChartTick> shown;
  for (const ChartTick& tick : index_ticks(labels)) {
    if (label_number(tick) % stride == 0) shown.push_back(tick);
  }
  return shown;
}

std::string box_tooltip(const BoxChart& chart, const LayerBox& box) {
  return concat(chart.x_title, " ", box.label, ": median ", format_short(box.median), ", ", chart.quantiles,
                " ", format_short(box.low_quantile), " to ", format_short(box.high_quantile), ", lowest ",
                format_short(box.low), ", highest ", format_short(box.high));
}

bool is_drawable(const LayerBox& box) {
  return is_plottable(box.low) && is_plottable(box.low_quantile) && is_plottable(box.median) &&
         is_plottable(box.high_quantile) && is_plottable(box.high);
}

std::string draw_box(const BoxChart& chart, const LayerBox& box, const ChartScale& y, double center,
                     double width) {
  const double top = y.at(box.high_quantile), bottom = y.at(box.low_quantile);
  return svg_line(center, y.at(box.low), center, y.at(box.high), "stem") +
         svg_rect(center - width / 2, top, width, std::max(1.0, bottom - top), "box",
                  box_tooltip(chart, box)) +
         svg_line(center - width / 2, y.at(box.median), center + width / 2, y.at(box.median), "median");
}

Html draw(const BoxChart& chart, const ValueRange& range, const ChartFrame& frame) {
  const ValueRange padded = padded_range(range, 0.05, false);
  const auto y_ticks = linear_ticks(padded.low, padded.high, 5);
  const PlotArea area = plot_area(frame, y_ticks, !chart.y_title.empty(), false);
  const auto count = static_cast<double>(chart.boxes.size());
  const double pitch = (area.right - area.left) / count;
  const ChartScale x{-0.5, count - 0.5, area.left, area.right, false};
  const ChartScale y{padded.low, padded.high, area.bottom, area.top, false};
  std::vector<std::string> labels;
  for (const LayerBox& box : chart.boxes)
    labels.push_back(box.label);
  std::string out = draw_y_axis(area, y, y_ticks, chart.y_title);
  if (chart.reference)
    out += svg_line(area.left, y.at(*chart.reference), area.right, y.at(*chart.reference), "mark");
  for (size_t i = 0; i < chart.boxes.size(); ++i) {
    const double width = std::min(kWidestBox, pitch * 0.66);
    if (is_drawable(chart.boxes[i]))
      out += draw_box(chart, chart.boxes[i], y, x.at(static_cast<double>(i)), width);
  }
  return svg_root(frame, chart.description,
                  out + draw_x_axis(area, x, spaced_ticks(labels, pitch), chart.x_title));
}

// Shades start above zero: the lowest value must differ from an empty field.
double shade(double value, const ValueRange& range) {
  const double share = range.high > range.low ? (value - range.low) / (range.high - range.low) : 0.5;
  return 0.1 + 0.9 * share;
}

std::string draw_row(const HeatChart& chart, size_t row, const ValueRange& range, const PlotArea& area,
                     double y, double height) {
  const double pitch = (area.right - area.left) / static_cast<double>(chart.columns.size());
  std::string out = svg_text(area.left - 7, y + height / 2 + 4, "end", "label", shorten(chart.rows[row], 24));
  for (size_t c = 0; c < chart.columns.size(); ++c) {
    const double value = chart.values[row][c];
    if (!is_plottable(value)) continue;
    const std::string tooltip =
        concat(chart.x_title, " ", chart.columns[c], ", ", chart.rows[row], ": ", format_short(value));
    const double left = area.left + static_cast<double>(c) * pitch;
    out += svg_rect(left, y, pitch - std::min(1.0, pitch * 0.15), height - 1, "f1", tooltip,
                    shade(value, range));
  }
  return out;
}

std::string draw_shades(const ValueRange& range, const PlotArea& area, double y) {
  constexpr int kSteps = 12;
  constexpr double kStep = 9, kHeight = 10;
  const std::string low = format_short(range.low);
  double x = area.left + text_width(low) + 6;
  std::string out = svg_text(x - 6, y + 9, "end", "tick", low);
  for (int i = 0; i < kSteps; ++i, x += kStep) {
    out += svg_rect(x, y, kStep, kHeight, "f1", "", 0.1 + 0.9 * i / (kSteps - 1));
  }
  return out + svg_text(x + 6, y + 9, "start", "tick", format_short(range.high));
}

Html draw(const HeatChart& chart, const ValueRange& range, const ChartFrame& frame) {
  double widest = 0;
  for (const std::string& row : chart.rows)
    widest = std::max(widest, text_width(shorten(row, 24)));
  const double height = frame.narrow ? 22 : 28;
  const double bottom = 28 + height * static_cast<double>(chart.rows.size());
  const PlotArea area{widest + 14, 28, frame.width - 4, bottom};
  std::string out = draw_shades(range, area, 4);
  for (size_t r = 0; r < chart.rows.size(); ++r) {
    out += draw_row(chart, r, range, area, area.top + height * static_cast<double>(r), height);
  }
  const auto count = static_cast<double>(chart.columns.size());
  const ChartScale x{-0.5, count - 0.5, area.left, area.right, false};
  out += draw_x_axis(area, x, spaced_ticks(chart.columns, (area.right - area.left) / count), chart.x_title);
  return svg_root({frame.width, bottom + 40, frame.narrow}, chart.description, out);
}

}  // namespace

Html box_chart(const BoxChart& chart) {
  ValueRange range;
  for (const LayerBox& box : chart.boxes) {
    if (!is_drawable(box)) continue;
    range.include(box.low);
    range.include(box.high);
  }
  if (chart.boxes.empty()) return {};
  if (range.empty) return nothing_finite();
  if (chart.reference) range.include(*chart.reference);
  return both_sizes([&](const ChartFrame& frame) { return draw(chart, range, frame); });
}

Html heat_chart(const HeatChart& chart) {
  QSLAW_CHECK(chart.values.size() == chart.rows.size());
  ValueRange range;
  for (const auto& row : chart.values) {
    QSLAW_CHECK(row.size() == chart.columns.size());
    for (double value : row)
      range.include(value);
  }
  if (chart.rows.empty() || chart.columns.empty()) return {};
  if (range.empty) return nothing_finite();
  return both_sizes([&](const ChartFrame& frame) { return draw(chart, range, frame); });
}

}  // namespace qslaw
