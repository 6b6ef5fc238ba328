// Instances of rotation of heads for the GPU.
#include "rotary.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_rotary(CudaKernels& table) {
  table.rotate_heads = rotate_heads;
  table.rotate_and_store = rotate_and_store;
}

}  // namespace qslaw::device
