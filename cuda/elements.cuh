// What all device code shares: element types, vectors of them, indices. Whoever includes this brings the CUDA
// language, its bfloat16 and half types and QSLAW_SHARED: nvcc (launch.cuh), or tests/kernels/cuda_on_cpu.h,
// which runs the same code on the CPU.
#pragma once
#include <cstdint>

#include "kernels/quant_math.h"

#if defined(__CUDACC__)
#define QSLAW_UNROLL _Pragma("unroll")
#else
#define QSLAW_UNROLL
#endif

namespace qslaw::device {

QSLAW_HOST_DEVICE float widen(float value) {
  return value;
}
QSLAW_HOST_DEVICE float widen(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
QSLAW_HOST_DEVICE float widen(__half value) {
  return __half2float(value);
}

QSLAW_HOST_DEVICE void narrow(float value, float& out) {
  out = value;
}
QSLAW_HOST_DEVICE void narrow(float value, __nv_bfloat16& out) {
  out = __float2bfloat16_rn(value);
}
QSLAW_HOST_DEVICE void narrow(float value, __half& out) {
  out = __float2half_rn(value);
}

/// A value as T holds it.
template <typename T>
struct Rounding {
  QSLAW_HOST_DEVICE float operator()(float value) const {
    T kept;
    narrow(value, kept);
    return widen(kept);
  }
};

/// kWidth elements as they lie in memory; the alignment lets them travel up to 16 bytes at a time.
template <typename T, int kWidth>
struct alignas(kWidth * sizeof(T) < 16 ? kWidth * sizeof(T) : 16) Values {
  T values[kWidth];
};

/// Elements kWidth * index and the following.
template <int kWidth, typename T>
__device__ __forceinline__ Values<T, kWidth> load(const T* from, int64_t index) {
  return reinterpret_cast<const Values<T, kWidth>*>(from)[index];
}

template <int kWidth, typename T>
__device__ __forceinline__ void store(T* to, int64_t index, const Values<T, kWidth>& values) {
  reinterpret_cast<Values<T, kWidth>*>(to)[index] = values;
}

__device__ __forceinline__ int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Row and column of number n in rows of `columns`, by a division in Index (dispatch.cuh).
template <typename Index>
struct Place {
  __device__ __forceinline__ Place(int64_t n, int64_t columns)
      : row(static_cast<Index>(n) / static_cast<Index>(columns)), column(n - row * columns) {}
  int64_t row, column;
};

}  // namespace qslaw::device
