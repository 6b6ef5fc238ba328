// AdamW with moments of 8 bits (lib/kernels/adamw_int8.h), by adamw_math.h's arithmetic: the CPU's bits.
#pragma once
#include "dispatch.cuh"
#include "kernels/adamw_math.h"
#include "reduce.cuh"

namespace qslaw::device {

/// A tensor's memory.
struct MomentBlocks {
  float* parameter;
  const float* gradient;
  int8_t* first;
  float* first_maximum;
  uint8_t* second;
  float* second_maximum;
  int64_t count;
};

// One block of threads per block of moments, one thread per value: the block's largest moments are needed
// before any code can be chosen. Bytes moved per value: 16. (A template, so that several files may hold it.)
template <int kBlock>
__global__ void adamw_int8_kernel(MomentBlocks b, AdamWStep step) {
  const int64_t block = blockIdx.x, i = block * kBlock + threadIdx.x;
  const bool active = i < b.count;  // the last block's idle threads still take part in the reductions
  const float old_first = b.first_maximum[block], old_second = b.second_maximum[block];
  float m = 0.0F, v = 0.0F;
  if (active) {
    m = next_first(static_cast<float>(b.first[i]), old_first, b.gradient[i], step);
    v = next_second(static_cast<float>(b.second[i]), old_second, b.gradient[i], step);
    b.parameter[i] = next_parameter(b.parameter[i], m, v, step);
  }
  const float largest_first = block_reduce(fabsf(m), Larger{}), largest_second = block_reduce(v, Larger{});
  if (threadIdx.x == 0) {
    b.first_maximum[block] = largest_first;
    b.second_maximum[block] = largest_second;
  }
  if (!active) return;
  const auto index = static_cast<uint32_t>(i);
  b.first[i] = static_cast<int8_t>(static_cast<int32_t>(first_code(m, largest_first, index, step)));
  b.second[i] = static_cast<uint8_t>(static_cast<int32_t>(second_code(v, largest_second, index, step)));
}

inline const char* adamw_int8(float* parameter, const float* gradient, int64_t n, AdamWStep step,
                              int8_t* first, float* first_maximum, uint8_t* second, float* second_maximum,
                              void* stream) {
  const MomentBlocks blocks{parameter, gradient, first, first_maximum, second, second_maximum, n};
  return launch(adamw_int8_kernel<static_cast<int>(kMomentBlock)>, blocks_for(n, kMomentBlock),
                static_cast<int>(kMomentBlock), stream, blocks, step);
}

}  // namespace qslaw::device
