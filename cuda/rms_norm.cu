// Instances of RMS normalization for the GPU.
#include "rms_norm.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_rms_norm(CudaKernels& table) {
  table.rms_norm = rms_norm;
  table.add_rms_norm = add_rms_norm;
  table.rms_norm_gradient = rms_norm_gradient;
  table.rms_norm_weight_gradient = rms_norm_weight_gradient;
}

}  // namespace qslaw::device
