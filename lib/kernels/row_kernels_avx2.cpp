#if defined(__x86_64__)
#include "kernels/simd_avx2.h"
// The body uses what the header above defines.
#include "kernels/row_kernels_body.h"

namespace qslaw::cpu {

const RowKernels& avx2_row_kernels() {
  return kTable;
}

}  // namespace qslaw::cpu
#endif
