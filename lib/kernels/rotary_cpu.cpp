#include "kernels/rotary_cpu.h"

#include "kernels/float_rows.h"
#include "kernels/step_math.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE void rotate(const T* __restrict x, const T* __restrict cos, const T* __restrict sin,
                         int64_t heads, int64_t half, float direction, T* __restrict out) {
  for (int64_t head = 0; head < heads; ++head, x += 2 * half, out += 2 * half) {
    for (int64_t i = 0; i < half; ++i) {
      const Pair y =
          turned(widen(x[i]), widen(x[i + half]), widen(cos[i]), direction * widen(sin[i]), Rounding<T>{});
      narrow(y.first, out[i]);
      narrow(y.second, out[i + half]);
    }
  }
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                 \
  QSLAW_COPIES(                                                                                       \
      void, rotate_token,                                                                             \
      (const T* x, const T* cos, const T* sin, int64_t heads, int64_t half, float direction, T* out), \
      rotate, (x, cos, sin, heads, half, direction, out))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
