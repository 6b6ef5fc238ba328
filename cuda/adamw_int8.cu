// Instances of AdamW with moments of 8 bits for the GPU.
#include "adamw_int8.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_adamw_int8(CudaKernels& table) {
  table.adamw_int8 = adamw_int8;
}

}  // namespace qslaw::device
