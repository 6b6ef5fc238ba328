#include "kernels/dropout_cpu.h"

#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

template <typename T>
QSLAW_INLINE void drop_row(const T* x, uint32_t first, int64_t n, const Dropout& dropout, T* out) {
  const Dropout d = dropout;
  for (int64_t i = 0; i < n; ++i)
    narrow(dropped(widen(x[i]), first + static_cast<uint32_t>(i), d), out[i]);
}

template <typename T>
QSLAW_INLINE void add_drop_row(const T* x, uint32_t first, int64_t n, const Dropout& dropout, T* sum) {
  const Dropout d = dropout;
  for (int64_t i = 0; i < n; ++i)
    narrow(widen(sum[i]) + Rounding<T>{}(dropped(widen(x[i]), first + static_cast<uint32_t>(i), d)), sum[i]);
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                   \
  QSLAW_COPIES(void, drop, (const T* x, uint32_t first, int64_t n, const Dropout& dropout, T* out),     \
               drop_row, (x, first, n, dropout, out))                                                   \
  QSLAW_COPIES(void, add_drop, (const T* x, uint32_t first, int64_t n, const Dropout& dropout, T* sum), \
               add_drop_row, (x, first, n, dropout, sum))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
