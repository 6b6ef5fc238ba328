// The one symbol of libqslaw_cuda.so (lib/kernels/cuda_abi.h), and what it says about LibTorch's CUDA side.
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "entries.h"

namespace {

int32_t device_count(const char** reason) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  *reason = error == cudaSuccess ? "no device" : cudaGetErrorString(error);
  return 0;
}

void* current_stream(int32_t device) {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
}

qslaw::CudaKernels make_table() {
  qslaw::CudaKernels table{};
  table.version = qslaw::kCudaKernelsVersion;
  table.device_count = device_count;
  table.current_stream = current_stream;
  qslaw::device::enter_group_quant(table);
  qslaw::device::enter_packed_product(table);
  qslaw::device::enter_activation_quant(table);
  qslaw::device::enter_rms_norm(table);
  qslaw::device::enter_rotary(table);
  qslaw::device::enter_swiglu(table);
  qslaw::device::enter_cross_entropy(table);
  qslaw::device::enter_dropout(table);
  qslaw::device::enter_adamw_int8(table);
  qslaw::device::enter_decode_attention(table);
  qslaw::device::enter_graph(table);
  return table;
}

}  // namespace

extern "C" const qslaw::CudaKernels* qslaw_cuda_kernels() {
  static const qslaw::CudaKernels table = make_table();
  return &table;
}
