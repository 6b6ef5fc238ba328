// Reductions in a fixed order: over a block, and what of a matrix a thread takes that goes down a column.
#pragma once
#include "elements.cuh"

namespace qslaw::device {

struct Add {
  __device__ __forceinline__ float operator()(float a, float b) const { return a + b; }
};
/// What is not a number is passed over as the second argument.
struct Larger {
  __device__ __forceinline__ float operator()(float a, float b) const { return b > a ? b : a; }
};
struct Smaller {
  __device__ __forceinline__ float operator()(float a, float b) const { return b < a ? b : a; }
};

/// The reduction over each set of `lanes` neighbors of a warp (a power of two), in every lane: lanes half a
/// set apart are joined first, then a quarter, and so on. All come to the same bits, because the operations
/// commute. The whole warp must call it.
template <typename Op>
__device__ __forceinline__ float warp_reduce(float value, Op op, int lanes = 32) {
  for (int width = lanes / 2; width > 0; width /= 2)
    value = op(value, __shfl_xor_sync(0xFFFFFFFFU, value, width));
  return value;
}

/// The reduction over a block of whole warps, in every thread: warps are joined in their order. All threads
/// must call it.
template <typename Op>
__device__ __forceinline__ float block_reduce(float value, Op op) {
  QSLAW_SHARED(float, warps, [32]);
  value = warp_reduce(value, op);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  float result = warps[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp)
    result = op(result, warps[warp]);
  __syncthreads();  // the next call writes to the same memory
  return result;
}

/// A thread's column of a slab of rows, in a grid of slabs times blocks of columns.
struct SlabColumn {
  int64_t slab, column;
  int64_t begin, end;  // rows

  __device__ __forceinline__ SlabColumn(CudaRows shape, int64_t slab_rows) {
    const int64_t column_blocks = (shape.columns + blockDim.x - 1) / blockDim.x;
    slab = blockIdx.x / column_blocks;
    column = blockIdx.x % column_blocks * blockDim.x + threadIdx.x;
    begin = slab * slab_rows;
    end = begin + slab_rows < shape.rows ? begin + slab_rows : shape.rows;
  }
};

}  // namespace qslaw::device
