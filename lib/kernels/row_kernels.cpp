#include "kernels/row_kernels.h"

#include "core/cpu_isa.h"

namespace qslaw::cpu {

const RowKernels& row_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return avx512_row_kernels();
  if (isa == Isa::avx2) return avx2_row_kernels();
#endif
  static_cast<void>(isa);
  return plain_row_kernels();
}

}  // namespace qslaw::cpu
