// Group-wise quantization on the GPU: the kernels' instances and their launch.
#include "group_quant.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <limits>

namespace qslaw::device {

// Queues the kernel; null, or what went wrong.
template <typename... Params, typename... Args>
const char* launch(void (*kernel)(Params...), int64_t blocks, int threads, void* stream, Args... args) {
  if (blocks == 0) return nullptr;
  if (blocks > std::numeric_limits<int32_t>::max()) return "the matrix is too large for one grid";
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0,
           static_cast<cudaStream_t>(stream)>>>(args...);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace qslaw::device

#include "group_quant_launch.cuh"

namespace qslaw::device {

void add_group_quant(CudaKernels& table) {
  table.quantize_packed = quantize_packed;
  table.dequantize_packed = dequantize_packed;
  table.fake_quantize = fake_quantize;
  table.gamma_gradient = gamma_gradient;
  table.dequantize_table = dequantize_table;
}

}  // namespace qslaw::device
