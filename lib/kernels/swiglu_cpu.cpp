#include "kernels/swiglu_cpu.h"

#include "kernels/float_rows.h"
#include "kernels/step_math.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE void forward_row(const T* gate, const T* up, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    narrow(swiglu_value(widen(gate[i]), widen(up[i]), Rounding<T>{}), out[i]);
  }
}

template <typename T>
QSLAW_INLINE void gradient_row(const T* gate, const T* up, const T* dy, int64_t n, T* dgate, T* dup) {
  for (int64_t i = 0; i < n; ++i) {
    const SwigluGradients gradient =
        swiglu_gradients(widen(gate[i]), widen(up[i]), widen(dy[i]), Rounding<T>{});
    narrow(gradient.gate, dgate[i]);
    narrow(gradient.up, dup[i]);
  }
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                \
  QSLAW_COPIES(void, swiglu_row, (const T* gate, const T* up, int64_t n, T* out), forward_row,       \
               (gate, up, n, out))                                                                   \
  QSLAW_COPIES(void, swiglu_row_gradient,                                                            \
               (const T* gate, const T* up, const T* dy, int64_t n, T* dgate, T* dup), gradient_row, \
               (gate, up, dy, n, dgate, dup))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
