// Instances of dropout for the GPU.
#include "dropout.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_dropout(CudaKernels& table) {
  table.dropout = dropout;
  table.add_dropout = add_dropout;
}

}  // namespace qslaw::device
