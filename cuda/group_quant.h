// The kernels of group_quant.cu, for the table.
#pragma once
#include "kernels/cuda_abi.h"

namespace qslaw::device {

/// Enters the group-wise quantization kernels.
void add_group_quant(CudaKernels& table);

}  // namespace qslaw::device
