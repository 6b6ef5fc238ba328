#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "report/number_text.h"
#include "report/svg_canvas.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

constexpr double kBarHeight = 16;
constexpr double kBarGap = 8;
constexpr double kLabelLine = 17;  // a label above its bar
constexpr double kGroupLine = 22;  // a group's name
constexpr double kGroupGap = 10;
constexpr double kWidestLabel = 190;
constexpr double kGroupRoom = 0.8;  // of the frame: a group's name is larger and bold

// Where things lie; labels stand left of the bars, or above them where they would take too much room.
struct BarLayout {
  double width;
  double left;
  double right;
  bool labels_above;
  double maximum;
};

double drawn_value(double value) {
  return is_plottable(value) ? std::max(0.0, value) : 0.0;
}

double total(const Bar& bar) {
  double sum = 0;
  for (const BarPart& part : bar.parts)
    sum += drawn_value(part.value);
  return sum;
}

BarLayout layout(const BarChart& chart, const ChartFrame& frame) {
  double label = 0, text = 0, largest = 0;
  for (const BarGroup& group : chart.groups) {
    for (const Bar& bar : group.bars) {
      label = std::max(label, text_width(bar.label));
      text = std::max(text, bold_text_width(bar.text));
      largest = std::max({largest, total(bar), bar.interval ? drawn_value(bar.interval->second) : 0.0});
    }
  }
  const bool above = frame.narrow || label > kWidestLabel;
  const double left = above ? 1 : label + 12;
  const double maximum = chart.maximum > 0 ? chart.maximum : (largest > 0 ? largest : 1);
  return {frame.width, left, std::max(left + 60, frame.width - text - 9), above, maximum};
}

std::string draw_parts(const Bar& bar, const BarLayout& place, double y) {
  const ChartScale x{0, place.maximum, place.left, place.right, false};
  std::string out = svg_rect(place.left, y, place.right - place.left, kBarHeight, "track");
  double sum = 0;
  for (const BarPart& part : bar.parts) {
    const double from = x.at(sum);
    sum += drawn_value(part.value);
    const double to = std::min(x.at(sum), place.right);
    const std::string tooltip = concat(bar.label, part.name.empty() ? "" : ", " + part.name, ": ",
                                       bar.parts.size() > 1 ? format_size(part.value) : bar.text);
    // Half a unit of background between two parts keeps them apart where colors look alike.
    const double gap = bar.parts.size() > 1 && to - from > 2 ? 1.0 : 0.0;
    if (to > from) out += svg_rect(from, y, to - from - gap, kBarHeight, concat("f", part.color), tooltip);
  }
  return out;
}

std::string draw_interval(const Bar& bar, const BarLayout& place, double y) {
  if (!bar.interval || !is_plottable(bar.interval->first) || !is_plottable(bar.interval->second)) return "";
  const ChartScale x{0, place.maximum, place.left, place.right, false};
  const double middle = y + kBarHeight / 2;
  const double low = x.at(drawn_value(bar.interval->first));
  const double high = std::min(x.at(drawn_value(bar.interval->second)), place.right);
  std::string out;
  // The halo keeps it apart from a bar of any color.
  for (const char* css_class : {"halo", "whisker"}) {
    out += svg_line(low, middle, high, middle, css_class) +
           svg_line(low, middle - 3, low, middle + 3, css_class) +
           svg_line(high, middle - 3, high, middle + 3, css_class);
  }
  return out;
}

std::string draw_bar(const Bar& bar, const BarLayout& place, double& y) {
  std::string out;
  if (place.labels_above) {
    out += svg_text(1, y + 12, "start", "label", shorten_to(bar.label, place.width - 8));
    y += kLabelLine;
  } else {
    out += svg_text(place.left - 9, y + 12, "end", "label", bar.label);
  }
  out += draw_parts(bar, place, y) + draw_interval(bar, place, y);
  out += svg_text(place.right + 7, y + 12, "start", "value", bar.text);
  y += kBarHeight + kBarGap;
  return out;
}

Html draw(const BarChart& chart, const ChartFrame& frame) {
  const BarLayout place = layout(chart, frame);
  std::string out;
  double y = 2;
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    if (g > 0) y += kGroupGap;
    if (!chart.groups[g].name.empty()) {
      out +=
          svg_text(1, y + 13, "start", "group", shorten_to(chart.groups[g].name, kGroupRoom * frame.width));
      y += kGroupLine;
    }
    for (const Bar& bar : chart.groups[g].bars)
      out += draw_bar(bar, place, y);
  }
  return svg_root({frame.width, y, frame.narrow}, chart.description, out);
}

Html legend(const BarChart& chart) {
  std::vector<std::pair<std::string, int>> kinds;
  for (const BarGroup& group : chart.groups) {
    for (const Bar& bar : group.bars) {
      for (const BarPart& part : bar.parts) {
        const std::pair<std::string, int> kind{part.name, part.color};
        const bool known = std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
        if (!known && drawn_value(part.value) > 0) kinds.push_back(kind);
      }
    }
  }
  Html items;
  for (const auto& [name, color] : kinds) {
    Html item{concat("<svg class=\"swatch\" viewBox=\"0 0 14 10\" aria-hidden=\"true\"><rect class=\"f",
                     color, "\" width=\"14\" height=\"10\" rx=\"2\"/></svg>")};
    item += html_element("span", "", html_text(name));
    items += html_element("li", "", item);
  }
  return html_element("ul", "legend", items);
}

}  // namespace

Html bar_chart(const BarChart& chart) {
  size_t bars = 0;
  for (const BarGroup& group : chart.groups)
    bars += group.bars.size();
  if (bars == 0) return {};
  Html out = chart.legend ? legend(chart) : Html{};
  out += both_sizes([&](const ChartFrame& frame) { return draw(chart, frame); });
  return out;
}

}  // namespace qslaw
