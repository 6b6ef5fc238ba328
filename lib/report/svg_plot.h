// Charts as SVG, to be placed in an HTML page that has the report's style sheet (html_style.h): colors are
// classes, so that one picture serves light and dark. Every chart is drawn twice, for wide and for narrow
// screens, because text in a scaled-down picture could not be read; the style sheet shows one. No
// identifiers, scripts or outside resources.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/chart_series.h"
#include "report/markup.h"

namespace qslaw {

enum class ValueAxis { kLinear, kLog, kAuto };

/// Curves over a common x axis. Long curves are drawn faintly with their moving average on top; both start
/// anew at a curve's borders.
struct LineChart {
  std::string description;  // for screen readers
  std::string x_title;
  std::string y_title;
  std::vector<ChartSeries> series;
  /// kAuto: logarithmic when all values are positive and span more than a factor of 30.
  ValueAxis y_axis = ValueAxis::kAuto;
  bool whole_x = true;      // ticks at whole numbers only
  bool smooth = true;       // long curves; false draws the values as they are
  bool last_values = true;  // of each curve, in the legend
  bool names_lone = false;  // a lone curve by its name there, not as "at the end"
  bool from_zero = false;   // the y axis includes 0, where the distance from it is what counts
  /// Vertical lines: where something begins, and its name.
  std::vector<std::pair<double, std::string>> marks;
};

// A chart with nothing in it is no markup at all; one whose values are all not finite says so.

/// The chart with its legend. Smoothed curves have the single values drawn faintly behind them, unless there
/// are more than three.
Html line_chart(const LineChart& chart);

/// A part of a bar. `name` is shown in the legend when there is more than one kind of part.
struct BarPart {
  double value = 0;
  int color = 1;
  std::string name;
};

/// One bar: parts laid end to end, and the text shown behind it.
struct Bar {
  std::string label;
  std::vector<BarPart> parts;
  std::string text;
  std::optional<std::pair<double, double>> interval;  // of the value, drawn as a whisker
};

struct BarGroup {
  std::string name;
  std::vector<Bar> bars;
};

/// Horizontal bars in groups: any number and any length of label fit on any screen. Bars start at zero;
/// negative and missing values have no length.
struct BarChart {
  std::string description;
  std::vector<BarGroup> groups;
  double maximum = 0;   // of the axis; 0: the largest bar
  bool legend = false;  // of the parts' names
};

Html bar_chart(const BarChart& chart);

/// The spread of one layer's values.
struct LayerBox {
  std::string label;
  double low, low_quantile, median, high_quantile, high;
};

/// One box per layer: line from lowest to highest value, box between the quantiles, tick at the median.
struct BoxChart {
  std::string description;
  std::string x_title;
  std::string y_title;
  std::string quantiles;  // names the box's ends, for the tooltips: "5 % to 95 %"
  std::vector<LayerBox> boxes;
  std::optional<double> reference;  // a horizontal line, where nothing has changed
};

Html box_chart(const BoxChart& chart);

/// Values by row and column, as shades of one color. A value that is not plottable leaves its field empty.
struct HeatChart {
  std::string description;
  std::string x_title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::vector<double>> values;  // rows x columns
};

Html heat_chart(const HeatChart& chart);

}  // namespace qslaw
