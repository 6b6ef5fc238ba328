#include "kernels/cross_entropy_cpu.h"

#include <cmath>

#include "kernels/exp_math.h"
#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE float loss(const T* logits, int64_t n, int64_t target, float* scratch, float& sum) {
  const float largest = lane_max(n, [&](int64_t i) { return widen(logits[i]); });
  for (int64_t i = 0; i < n; ++i)
    scratch[i] = exp_float(widen(logits[i]) - largest);
  sum = lane_sum(n, [&](int64_t i) { return scratch[i]; });
  return std::log(sum) + largest - widen(logits[target]);
}

template <typename T>
QSLAW_INLINE void gradient(const float* scratch, int64_t n, int64_t target, float sum, float scale, T* out) {
  const float factor = scale / sum;
  for (int64_t i = 0; i < n; ++i)
    narrow(scratch[i] * factor, out[i]);
  narrow(scale * (scratch[target] / sum - 1.0F), out[target]);
}

template <typename T>
QSLAW_INLINE void scaled(const T* x, int64_t n, float scale, T* out) {
  for (int64_t i = 0; i < n; ++i)
    narrow(widen(x[i]) * scale, out[i]);
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                       \
  QSLAW_COPIES(float, token_loss, (const T* logits, int64_t n, int64_t target, float* scratch, float& sum), \
               loss, (logits, n, target, scratch, sum))                                                     \
  QSLAW_COPIES(void, token_gradient,                                                                        \
               (const float* scratch, int64_t n, int64_t target, float sum, float scale, T* out), gradient, \
               (scratch, n, target, sum, scale, out))                                                       \
  QSLAW_COPIES(void, scale_row, (const T* x, int64_t n, float scale, T* out), scaled, (x, n, scale, out))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
