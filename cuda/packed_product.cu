// Instances of packed products for the GPU.
#include "packed_product.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_packed_product(CudaKernels& table) {
  table.packed_product = packed_product;
}

}  // namespace qslaw::device
