#include "kernels/rms_norm_cpu.h"

#include "kernels/float_rows.h"
#include "kernels/step_math.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE float forward_row(const T* x, const T* weight, int64_t n, float eps, T* out) {
  const float squares = lane_sum(n, [&](int64_t i) { return widen(x[i]) * widen(x[i]); });
  const float inverse_rms = rms_inverse(squares, n, eps);
  for (int64_t i = 0; i < n; ++i)
    narrow(rms_value(widen(x[i]), widen(weight[i]), inverse_rms, Rounding<T>{}), out[i]);
  return inverse_rms;
}

template <typename T>
QSLAW_INLINE void gradient_row(const T* x, const T* weight, const T* dy, int64_t n, float inverse_rms,
                               T* dx) {
  const Rounding<T> round;
  const float products =
      lane_sum(n, [&](int64_t i) { return round(widen(dy[i]) * widen(weight[i])) * widen(x[i]); });
  const float along = rms_along(products, inverse_rms, n);
  for (int64_t i = 0; i < n; ++i) {
    narrow(rms_gradient(widen(x[i]), widen(weight[i]), widen(dy[i]), inverse_rms, along, round), dx[i]);
  }
}

template <typename T>
QSLAW_INLINE void add_weight_gradient(const T* x, const T* dy, int64_t n, float inverse_rms, float* sums) {
  for (int64_t i = 0; i < n; ++i)
    sums[i] += rms_weight_term(widen(x[i]), widen(dy[i]), inverse_rms, Rounding<T>{});
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                     \
  QSLAW_COPIES(float, rms_norm_row, (const T* x, const T* weight, int64_t n, float eps, T* out),          \
               forward_row, (x, weight, n, eps, out))                                                     \
  QSLAW_COPIES(void, rms_norm_row_gradient,                                                               \
               (const T* x, const T* weight, const T* dy, int64_t n, float inverse_rms, T* dx),           \
               gradient_row, (x, weight, dy, n, inverse_rms, dx))                                         \
  QSLAW_COPIES(void, rms_norm_add_weight_gradient,                                                        \
               (const T* x, const T* dy, int64_t n, float inverse_rms, float* sums), add_weight_gradient, \
               (x, dy, n, inverse_rms, sums))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
