// Axes: ranges, round tick values, and the mapping from values to picture coordinates.
#pragma once
#include <string>
#include <vector>

namespace qslaw {

/// Values beyond this are treated like missing ones, so that differences of values stay finite.
inline constexpr double kLargestPlotted = 1e100;

/// Finite and no larger than kLargestPlotted.
bool is_plottable(double value);

/// A closed range of values; empty until the first plottable value is included.
struct ValueRange {
  double low = 0;
  double high = 0;
  bool empty = true;

  void include(double value);
};

struct ChartTick {
  double value;
  std::string text;
};

/// Maps [low, high] to the coordinates [from, to], linearly or by logarithm. Values outside are mapped
/// outside.
struct ChartScale {
  double low = 0, high = 1;
  double from = 0, to = 1;
  bool log = false;

  /// The coordinate, kept within 10,000 of the picture.
  double at(double value) const;
};

/// The range widened by `margin` of its length on each side; a single value gets a range around it.
ValueRange padded_range(const ValueRange& range, double margin, bool log);

/// About `target` ticks at 1, 2, 2.5 or 5 times a power of ten inside of the scale; `whole`: at whole numbers
/// only.
std::vector<ChartTick> linear_ticks(double low, double high, int target, bool whole = false);

/// Powers of ten, with 2 and 5 times them where the range has fewer than three of them. REQUIRES: 0 < low <
/// high.
std::vector<ChartTick> log_ticks(double low, double high);

}  // namespace qslaw
