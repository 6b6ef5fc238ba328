#include "kernels/dense_product_cpu.h"

#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE void multiply_row(const T* row, const T* x, int64_t n, int64_t tokens, int64_t stride, T* y) {
  for (int64_t m = 0; m < tokens; ++m) {
    const T* token = x + m * n;
    narrow(lane_sum(n, [&](int64_t i) { return widen(row[i]) * widen(token[i]); }), y[m * stride]);
  }
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                     \
  QSLAW_COPIES(void, product_row,                                                                         \
               (const T* row, const T* x, int64_t n, int64_t tokens, int64_t stride, T* y), multiply_row, \
               (row, x, n, tokens, stride, y))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
