// Queues kernels: nvcc's side of device code (dispatch.cuh).
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <limits>

/// Shared memory of a block for one variable: an array of the type with these extents ([2][32]).
#define QSLAW_SHARED(type, name, extents) __shared__ type name extents

namespace qslaw::device {

// Queues the kernel; null, or what went wrong.
template <typename... Params, typename... Args>
const char* launch(void (*kernel)(Params...), int64_t blocks, int threads, void* stream, Args... args) {
  if (blocks == 0) return nullptr;
  if (blocks > std::numeric_limits<int32_t>::max()) return "the operands are too large for one grid";
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0,
           static_cast<cudaStream_t>(stream)>>>(args...);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace qslaw::device
