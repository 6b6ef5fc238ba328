// What the device code of cuda/ expects of whoever includes it (dispatch.cuh), on the CPU; and tensors as its
// arguments.
#pragma once
#include <ATen/ATen.h>

#include "cuda_on_cpu.h"
#include "kernels/cuda_abi.h"
#include "kernels/elements.h"

namespace qslaw::device {

template <typename... Params, typename... Args>
const char* launch(void (*kernel)(Params...), int64_t blocks, int threads, void*, Args... args) {
  cuda_on_cpu::run_grid(blocks, threads, [=] { kernel(args...); });
  return nullptr;
}

}  // namespace qslaw::device

namespace qslaw {

inline CudaInput device_input(const at::Tensor& tensor) {
  return {tensor.const_data_ptr(), element_of(tensor.scalar_type())};
}
inline CudaOutput device_output(at::Tensor& tensor) {
  return {tensor.data_ptr(), element_of(tensor.scalar_type())};
}

}  // namespace qslaw
