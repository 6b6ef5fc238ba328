#include "report/svg_canvas.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace qslaw {
namespace {

constexpr ChartFrame kWide = {560, 280, false};
constexpr ChartFrame kNarrow = {340, 240, true};
constexpr double kFontSize = 12;
constexpr double kOtherAdvance = 0.84;  // of capitals, signs and what is not ASCII
constexpr double kBoldWeight = 1.17;
// The room that the names of marks take above the plot.
constexpr double kMarkLine = 15;

// Advances of DejaVu Sans, the widest of the usual system fonts, in parts of the font size, rounded up.
double advance(char c) {
  const auto is_in = [&](std::string_view set) { return set.find(c) != std::string_view::npos; };
  if (is_in("ijlIft.,:;'|!()[]-/ ")) return 0.41;
  if (is_in("mwMW@%")) return 1.0;
  return is_in("+#&<=>^~ABCDEFGHJKLNOPQRSTUVXYZ") ? kOtherAdvance : 0.64;
}

double text_width(const std::string& text, double weight) {
  double sum = 0;
  int ascii = 0;
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) continue;
    sum += advance(c);
    ++ascii;
  }
  const int others = std::max(0, display_width(text) - ascii);
  return kFontSize * weight * (sum + kOtherAdvance * others);
}

}  // namespace

Html both_sizes(const std::function<Html(const ChartFrame&)>& draw) {
  Html out = html_element("div", "wide", draw(kWide));
  out += html_element("div", "narrow", draw(kNarrow));
  return out;
}

Html svg_root(const ChartFrame& frame, const std::string& description, const std::string& content) {
  return {concat("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 ", px(frame.width),
                 " ", px(frame.height), "\" role=\"img\" aria-label=\"", escape_markup(description), "\">",
                 content, "</svg>")};
}

Html nothing_finite() {
  return html_element("p", "none", html_text("No finite values to draw."));
}

std::string px(double value) {
  std::string text = format_fixed(std::isfinite(value) ? std::clamp(value, -1e5, 1e5) : 0.0, 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view css_class) {
  return concat("<line class=\"", css_class, "\" x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2),
                "\" y2=\"", px(y2), "\"/>");
}

std::string svg_rect(double x, double y, double width, double height, std::string_view css_class,
                     const std::string& tooltip, double opacity) {
  const std::string open =
      concat("<rect class=\"", css_class, "\" x=\"", px(x), "\" y=\"", px(y), "\" width=\"",
             px(std::max(0.0, width)), "\" height=\"", px(std::max(0.0, height)), "\"",
             opacity < 1 ? concat(" fill-opacity=\"", px(opacity), "\"") : std::string());
  if (tooltip.empty()) return open + "/>";
  return open + "><title>" + escape_markup(tooltip) + "</title></rect>";
}

std::string svg_text(double x, double y, std::string_view anchor, std::string_view css_class,
                     const std::string& text) {
  return concat("<text class=\"", css_class, "\" x=\"", px(x), "\" y=\"", px(y), "\" text-anchor=\"", anchor,
                "\">", escape_markup(text), "</text>");
}

double text_width(const std::string& text) {
  return text_width(text, 1);
}

double bold_text_width(const std::string& text) {
  return text_width(text, kBoldWeight);
}

std::string shorten_to(const std::string& text, double width) {
  // No character is narrower than a third of the font size.
  int cells = std::min(display_width(text), static_cast<int>(width / (kFontSize / 3)));
  while (cells > 1 && text_width(shorten(text, cells)) > width)
    --cells;
  return shorten(text, cells);
}

PlotArea plot_area(const ChartFrame& frame, const std::vector<ChartTick>& y_ticks, bool y_title,
                   bool mark_names) {
  double widest = 0;
  for (const ChartTick& tick : y_ticks)
    widest = std::max(widest, text_width(tick.text));
  const double top = (y_title ? 28.0 : 12.0) + (mark_names ? kMarkLine : 0.0);
  return {widest + 12, top, frame.width - 14, frame.height - 38};
}

std::string draw_y_axis(const PlotArea& area, const ChartScale& y, const std::vector<ChartTick>& ticks,
                        const std::string& title) {
  std::string out;
  for (const ChartTick& tick : ticks) {
    const double place = y.at(tick.value);
    out += svg_line(area.left, place, area.right, place, "grid");
    out += svg_text(area.left - 7, place + 4, "end", "tick", tick.text);
  }
  if (!title.empty()) out += svg_text(1, 13, "start", "axis", title);
  return out;
}

std::string draw_x_axis(const PlotArea& area, const ChartScale& x, const std::vector<ChartTick>& ticks,
                        const std::string& title) {
  std::string out = svg_line(area.left, area.bottom, area.right, area.bottom, "base");
  double free_from = -1e9;
  for (const ChartTick& tick : ticks) {
    const double half = text_width(tick.text) / 2;
    const double place = x.at(tick.value);
    out += svg_line(place, area.bottom, place, area.bottom + 4, "base");
    // A text that would touch its neighbor is left out; its tick stays.
    if (place - half < free_from) continue;
    out += svg_text(place, area.bottom + 17, "middle", "tick", tick.text);
    free_from = place + half + 6;
  }
  return out + svg_text((area.left + area.right) / 2, area.bottom + 33, "middle", "axis", title);
}

std::string draw_marks(const PlotArea& area, const ChartScale& x,
                       const std::vector<std::pair<double, std::string>>& marks) {
  std::string out;
  double free_from = area.left;
  for (const auto& [value, name] : marks) {
    const double place = x.at(value);
    if (place < area.left || place > area.right) continue;
    out += svg_line(place, area.top - 4, place, area.bottom, "mark");
    const double left = std::min(place, area.right - text_width(name));
    if (left < free_from) continue;
    out += svg_text(left, area.top - 8, "start", "tick", name);
    free_from = left + 8 + text_width(name);
  }
  return out;
}

}  // namespace qslaw
