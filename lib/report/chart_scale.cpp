#include "report/chart_scale.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

constexpr int kMostTicks = 12;
constexpr double kFarOutside = 1e4;

double nice_step(double span, int target) {
  const double raw = span / std::max(1, target);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (raw <= factor * power * 1.0001) return factor * power;
  }
  return 10.0 * power;
}

// The decimals that a step of 1, 2, 2.5 or 5 times a power of ten needs.
int decimals_of(double step) {
  for (int decimals = 0; decimals < 6; ++decimals) {
    const double scaled = step * std::pow(10.0, decimals);
    if (std::fabs(scaled - std::round(scaled)) < 1e-6 * scaled) return decimals;
  }
  return 6;
}

// All ticks of one axis show the same number of decimals.
std::string tick_text(double value, double step) {
  if (value == 0) return "0";
  if (std::fabs(value) >= 1e6 || step < 1e-4) return format_short(value);
  return format_tick(value, decimals_of(step));
}

}  // namespace

bool is_plottable(double value) {
  return std::isfinite(value) && std::fabs(value) <= kLargestPlotted;
}

void ValueRange::include(double value) {
  if (!is_plottable(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

double ChartScale::at(double value) const {
  const auto transform = [&](double x) { return log ? std::log10(std::max(x, 1e-300)) : x; };
  const double share = (transform(value) - transform(low)) / (transform(high) - transform(low));
  const double place = from + share * (to - from);
  return std::isfinite(place) ? std::clamp(place, -kFarOutside, kFarOutside) : from;
}

ValueRange padded_range(const ValueRange& range, double margin, bool log) {
  if (range.empty) return {0, 1, false};
  const double size = std::max(std::fabs(range.low), std::fabs(range.high));
  if (range.high - range.low <= size * 1e-9) {
    if (log) return {range.low / 2, range.high * 2, false};
    const double half = size > 0 ? size * 0.1 : 1.0;
    return {range.low - half, range.high + half, false};
  }
  if (log) {
    const double factor = std::pow(range.high / range.low, margin);
    return {range.low / factor, range.high * factor, false};
  }
  const double extra = (range.high - range.low) * margin;
  return {range.low - extra, range.high + extra, false};
}

std::vector<ChartTick> linear_ticks(double low, double high, int target, bool whole) {
  QSLAW_CHECK(low < high);
  double step = nice_step(high - low, target);
  if (whole) step = step == 2.5 ? 5 : std::max(step, 1.0);
  std::vector<ChartTick> ticks;
  const double first = std::ceil(low / step - 1e-9);
  for (int k = 0; k < kMostTicks; ++k) {
    // Adding 0 turns -0 into 0.
    const double value = (first + k) * step + 0.0;
    if (value > high + step * 1e-9) break;
    ticks.push_back({value, tick_text(value, step)});
  }
  return ticks;
}

std::vector<ChartTick> log_ticks(double low, double high) {
  QSLAW_CHECK(low > 0 && low < high);
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const bool dense = std::log10(high / low) < 3;
  const int stride = std::max(1, (last - first) / 8);
  std::vector<ChartTick> ticks;
  for (int power = first; power <= last; power += stride) {
    for (double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10.0, power);
      if (value < low || value > high || (factor != 1.0 && !dense)) continue;
      ticks.push_back({value, format_short(value)});
    }
  }
  return ticks;
}

}  // namespace qslaw
