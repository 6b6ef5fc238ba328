// Instances of cross-entropy for the GPU.
#include "cross_entropy.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_cross_entropy(CudaKernels& table) {
  table.token_loss = token_loss;
  table.scale_rows = scale_rows;
}

}  // namespace qslaw::device
