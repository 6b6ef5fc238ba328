// Instances of SwiGLU for the GPU.
#include "swiglu.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_swiglu(CudaKernels& table) {
  table.swiglu = swiglu;
  table.swiglu_gradient = swiglu_gradient;
}

}  // namespace qslaw::device
