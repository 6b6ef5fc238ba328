// How an operator reaches its CUDA kernel: the table's entry with the tensor's device and LibTorch's stream,
// and tensors as the table's plain types.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "kernels/cuda_abi.h"

namespace qslaw {

/// Queues a kernel through the table; null, or what went wrong.
using CudaCall = std::function<const char*(const CudaKernels& kernels, void* stream)>;

/// Calls `call` with the device of `beside` as the current one. InternalError when it says what went wrong.
void cuda_call(const at::Tensor& beside, const char* name, const CudaCall& call);

/// A contiguous CUDA tensor of float32, bfloat16 or float16.
CudaInput cuda_input(const at::Tensor& tensor);
CudaOutput cuda_output(at::Tensor& tensor);

/// What device code takes for granted: a dense tensor of this type on the device of `beside`.
void check_cuda_operand(const at::Tensor& tensor, at::ScalarType dtype, const at::Tensor& beside);

/// Weights and codes are read in vectors of up to 16 bytes.
void check_cuda_alignment(const at::Tensor& tensor);

}  // namespace qslaw
