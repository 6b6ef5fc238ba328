#include "kernels/adamw_int8_cpu.h"

#include <cmath>

#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

QSLAW_INLINE void update_block(float* __restrict parameter, const float* __restrict gradient, int64_t n,
                               uint32_t begin, const AdamWStep& step, int8_t* __restrict first,
                               float& first_maximum, uint8_t* __restrict second, float& second_maximum) {
  if (n < 1 || n > kMomentBlock) return;
  const AdamWStep s = step;
  const float old_first = first_maximum, old_second = second_maximum;
  float m[kMomentBlock], v[kMomentBlock];
  for (int64_t i = 0; i < n; ++i) {
    m[i] = next_first(static_cast<float>(first[i]), old_first, gradient[i], s);
    v[i] = next_second(static_cast<float>(second[i]), old_second, gradient[i], s);
    parameter[i] = next_parameter(parameter[i], m[i], v[i], s);
  }
  const float new_first = lane_max(n, [&](int64_t i) { return std::fabs(m[i]); });
  const float new_second = lane_max(n, [&](int64_t i) { return v[i]; });
  first_maximum = new_first, second_maximum = new_second;
  for (int64_t i = 0; i < n; ++i) {
    const float code = first_code(m[i], new_first, begin + static_cast<uint32_t>(i), s);
    first[i] = static_cast<int8_t>(static_cast<int32_t>(code));
  }
  for (int64_t i = 0; i < n; ++i) {
    const float code = second_code(v[i], new_second, begin + static_cast<uint32_t>(i), s);
    second[i] = static_cast<uint8_t>(static_cast<int32_t>(code));
  }
}

}  // namespace

QSLAW_COPIES(void, adamw_int8_block,
             (float* parameter, const float* gradient, int64_t n, uint32_t begin, const AdamWStep& step,
              int8_t* first, float& first_maximum, uint8_t* second, float& second_maximum),
             update_block,
             (parameter, gradient, n, begin, step, first, first_maximum, second, second_maximum))

}  // namespace qslaw::cpu
