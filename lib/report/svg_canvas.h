// What all charts share: the picture's two sizes, its elements, axes.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/chart_scale.h"
#include "report/markup.h"

namespace qslaw {

/// Width and height in picture units (CSS pixels at natural size).
struct ChartFrame {
  double width;
  double height;
  bool narrow;
};

/// The picture drawn for wide and for narrow screens.
Html both_sizes(const std::function<Html(const ChartFrame&)>& draw);

/// <svg> with the frame's view box and a description for screen readers.
Html svg_root(const ChartFrame& frame, const std::string& description, const std::string& content);

/// What stands in place of a chart none of whose values is finite.
Html nothing_finite();

/// A coordinate with at most two decimals.
std::string px(double value);

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view css_class);
/// `tooltip` may be empty.
std::string svg_rect(double x, double y, double width, double height, std::string_view css_class,
                     const std::string& tooltip = "", double opacity = 1);
/// `anchor`: start, middle or end.
std::string svg_text(double x, double y, std::string_view anchor, std::string_view css_class,
                     const std::string& text);

/// A text's width at the charts' font size in a wide font, so that nothing is cut in others.
double text_width(const std::string& text);
double bold_text_width(const std::string& text);

/// The text, or as much of its beginning as fits with an ellipsis.
std::string shorten_to(const std::string& text, double width);

/// The plot's rectangle inside of the frame.
struct PlotArea {
  double left, top, right, bottom;
};

/// Room for the tick texts, the y title and the marks' names above and the x title below.
PlotArea plot_area(const ChartFrame& frame, const std::vector<ChartTick>& y_ticks, bool y_title,
                   bool mark_names);

/// Grid lines and texts of the y axis.
std::string draw_y_axis(const PlotArea& area, const ChartScale& y, const std::vector<ChartTick>& ticks,
                        const std::string& title);

/// Base line, ticks and title of the x axis.
std::string draw_x_axis(const PlotArea& area, const ChartScale& x, const std::vector<ChartTick>& ticks,
                        const std::string& title);

/// Vertical lines with their names above the plot, where no curve runs; a name without room is left out.
std::string draw_marks(const PlotArea& area, const ChartScale& x,
                       const std::vector<std::pair<double, std::string>>& marks);

}  // namespace qslaw
