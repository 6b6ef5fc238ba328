#include "kernels/rms_norm_cpu.h"

#include <cmath>

#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE float forward_row(const T* x, const T* weight, int64_t n, float eps, T* out) {
  const float squares = lane_sum(n, [&](int64_t i) { return widen(x[i]) * widen(x[i]); });
  const float inverse_rms = 1.0F / std::sqrt(squares / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; ++i)
    narrow(widen(weight[i]) * rounded<T>(widen(x[i]) * inverse_rms), out[i]);
  return inverse_rms;
}

// With u = x * inverse_rms and g = dy * weight: dx = inverse_rms * (g - u * mean(g * u)).
template <typename T>
QSLAW_INLINE void gradient_row(const T* x, const T* weight, const T* dy, int64_t n, float inverse_rms,
                               T* dx) {
  const float products =
      lane_sum(n, [&](int64_t i) { return rounded<T>(widen(dy[i]) * widen(weight[i])) * widen(x[i]); });
  const float along = products * inverse_rms * inverse_rms * inverse_rms / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) {
    const float g = rounded<T>(widen(dy[i]) * widen(weight[i]));
    narrow(g * inverse_rms - widen(x[i]) * along, dx[i]);
  }
}

template <typename T>
QSLAW_INLINE void add_weight_gradient(const T* x, const T* dy, int64_t n, float inverse_rms, float* sums) {
  for (int64_t i = 0; i < n; ++i)
    sums[i] += widen(dy[i]) * rounded<T>(widen(x[i]) * inverse_rms);
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                   \
  QSLAW_CLONES float rms_norm_row(const T* x, const T* weight, int64_t n, float eps, T* out) {          \
    return forward_row(x, weight, n, eps, out);                                                         \
  }                                                                                                     \
  QSLAW_CLONES void rms_norm_row_gradient(const T* x, const T* weight, const T* dy, int64_t n,          \
                                          float inverse_rms, T* dx) {                                   \
    gradient_row(x, weight, dy, n, inverse_rms, dx);                                                    \
  }                                                                                                     \
  QSLAW_CLONES void rms_norm_add_weight_gradient(const T* x, const T* dy, int64_t n, float inverse_rms, \
                                                 float* sums) {                                         \
    add_weight_gradient(x, dy, n, inverse_rms, sums);                                                   \
  }

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
