// Instances of attention over the cache for the GPU.
#include "decode_attention.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_decode_attention(CudaKernels& table) {
  table.decode_attention = decode_attention;
}

}  // namespace qslaw::device
