#include "kernels/level_codes_cpu.h"

#include <cmath>

#include "kernels/float_rows.h"
#include "kernels/level_codes.h"
#include "kernels/quant_math.h"

namespace qslaw::cpu {
namespace {

// The largest magnitude of whole lanes of values.
QSLAW_INLINE float largest_magnitude(const float* values, int64_t n) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::fabs(values[i + lane]);
      lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
    }
  }
  for (int lane = 1; lane < kLanes; ++lane)
    lanes[0] = lanes[lane] > lanes[0] ? lanes[lane] : lanes[0];
  return lanes[0];
}

// All midpoints are compared with, each with the whole block: vectors of comparisons instead of a search that
// branches.
template <typename T>
QSLAW_INLINE float encode(const T* values, int64_t n, const float* midpoints, int64_t count, uint8_t* codes) {
  if (n < 1 || n > kMaxLevelBlock) return 0.0F;
  const int64_t padded = (n + kLanes - 1) / kLanes * kLanes;
  float wide[kMaxLevelBlock];
  int32_t passed[kMaxLevelBlock];
  for (int64_t i = 0; i < n; ++i)
    wide[i] = widen(values[i]);
  for (int64_t i = n; i < padded; ++i)
    wide[i] = 0.0F;
  const float absmax = largest_magnitude(wide, padded), factor = level_factor(absmax);
  for (int64_t i = 0; i < padded; ++i)
    wide[i] *= factor, passed[i] = 0;
  for (int64_t m = 0; m < count; ++m) {
    const float midpoint = midpoints[m];
    for (int64_t i = 0; i < padded; ++i)
      passed[i] += passes_midpoint(wide[i], midpoint);
  }
  for (int64_t i = 0; i < n; ++i)
    codes[i] = static_cast<uint8_t>(passed[i]);
  return absmax;
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                       \
  QSLAW_COPIES(float, encode_block,                                                                         \
               (const T* values, int64_t n, const float* midpoints, int64_t count, uint8_t* codes), encode, \
               (values, n, midpoints, count, codes))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
