// Each enters an operator's kernels into the table; one .cu file per operator.
#pragma once
#include "kernels/cuda_abi.h"

namespace qslaw::device {

void enter_group_quant(CudaKernels& table);
void enter_packed_product(CudaKernels& table);
void enter_activation_quant(CudaKernels& table);
void enter_rms_norm(CudaKernels& table);
void enter_rotary(CudaKernels& table);
void enter_swiglu(CudaKernels& table);
void enter_cross_entropy(CudaKernels& table);
void enter_dropout(CudaKernels& table);
void enter_adamw_int8(CudaKernels& table);
void enter_decode_attention(CudaKernels& table);
void enter_graph(CudaKernels& table);

}  // namespace qslaw::device
