#include "data/bicubic.h"

#include <algorithm>
#include <cmath>

#include "data/weigh_lines.h"

namespace qslaw {
namespace {

// The rule is written out in docs/method.md ("picture transform"); every rounding of it matters for equality.
constexpr double kSupport = 2;  // source pixels on each side at scale 1

/// Cubic convolution kernel with a = -0.5 (Keys 1981).
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

Taps make_taps(int in, double scale, int64_t position) {
  const double stretch = std::max(scale, 1.0);  // antialiasing: the kernel widens when the picture shrinks
  const double support = kSupport * stretch;
  const double center = (static_cast<double>(position) + 0.5) * scale;
  const int first = std::max(static_cast<int>(center - support + 0.5), 0);
  const int last = std::min(static_cast<int>(center + support + 0.5), in);
  std::vector<double> weights;
  double sum = 0;
  for (int i = first; i < last; ++i) {
    weights.push_back(bicubic((i - center + 0.5) * (1.0 / stretch)));
    sum += weights.back();
  }
  Taps taps{first, {}};
  for (double weight : weights) {
    const double fixed = weight / sum * (1 << kWeightBits);
    taps.weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
  }
  return taps;
}

}  // namespace

std::vector<Taps> bicubic_axis(int in, int64_t out, int64_t from, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<Taps> axis;
  for (int i = 0; i < count; ++i)
    axis.push_back(make_taps(in, scale, from + i));
  return axis;
}

}  // namespace qslaw
