// Softmax, its loss and the loss's gradient over tokens' logits (lib/kernels/cross_entropy.h), and rows times
// one number each. Terms are exp_math.h's, as on the CPU; sums over a row have an order of their own
// (reduce.cuh).
#pragma once
#include "dispatch.cuh"
#include "kernels/exp_math.h"
#include "reduce.cuh"

namespace qslaw::device {

/// Twice that of other kernels: rows are long, and a chunk may have few of them.
inline constexpr int kTokenThreads = 512;

// The gradient over one token's logits, in place.
template <typename T, int kWidth>
__device__ void replace_logits(T* logits, int64_t columns, int64_t target, float largest, float sum,
                               float scale) {
  const float factor = scale / sum;
  for (int64_t i = threadIdx.x; i < columns / kWidth; i += blockDim.x) {
    Values<T, kWidth> v = load<kWidth>(static_cast<const T*>(logits), i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j) {
      const float term = exp_float(widen(v.values[j]) - largest);
      const bool is_target = kWidth * i + j == target;
      narrow(is_target ? scale * (term / sum - 1.0F) : term * factor, v.values[j]);
    }
    store(logits, i, v);
  }
}

// One block per token. It reads the logits for their largest, for the sum, and for the gradient, which takes
// their place where scale is not null. A row (64 KB of 32,000 logits in 16 bits) stays in the caches
// meanwhile, so that memory sees one read and one write of sizeof(T) per logit.
template <typename T, int kWidth>
__global__ void token_loss_kernel(T* logits, const int64_t* targets, int64_t columns, const float* scale,
                                  float* nll) {
  const int64_t row = blockIdx.x, count = columns / kWidth, target = targets[row];
  T* own = logits + row * columns;
  const T* from = own;
  float largest = -INFINITY;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      largest = Larger{}(largest, widen(v.values[j]));
  }
  largest = block_reduce(largest, Larger{});
  float sum = 0.0F;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      sum += exp_float(widen(v.values[j]) - largest);
  }
  const float hit = widen(from[target]);  // before the barriers of block_reduce, behind which it is replaced
  sum = block_reduce(sum, Add{});
  if (threadIdx.x == 0) nll[row] = logf(sum) + largest - hit;
  if (scale) replace_logits<T, kWidth>(own, columns, target, largest, sum, scale[row]);
}

// One thread per kWidth values of a row, of which Index holds the number. Bytes moved per value: 2 *
// sizeof(T).
template <typename T, int kWidth, typename Index>
__global__ void scale_rows_kernel(const T* x, const float* scale, CudaRows shape, T* out) {
  const int64_t i = global_thread(), count = shape.columns / kWidth;
  if (i >= shape.rows * count) return;
  const float factor = scale[Place<Index>(i, count).row];
  Values<T, kWidth> v = load<kWidth>(x, i);
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j)
    narrow(widen(v.values[j]) * factor, v.values[j]);
  store(out, i, v);
}

inline const char* token_loss(CudaOutput logits, const int64_t* targets, CudaRows shape, const float* scale,
                              float* nll, void* stream) {
  return with_type(logits, [&](auto* own) {
    using T = ElementOf<decltype(own)>;
    return with_width(shape.columns, {logits.data}, [&](auto width) {
      return launch(token_loss_kernel<T, decltype(width)::value>, shape.rows, kTokenThreads, stream, own,
                    targets, shape.columns, scale, nll);
    });
  });
}

inline const char* scale_rows(CudaInput x, const float* scale, CudaRows shape, CudaOutput out, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data, out.data}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const int64_t threads = shape.rows * (shape.columns / kWidth);
      return with_index(threads, [&](auto index) {
        return launch(scale_rows_kernel<T, kWidth, decltype(index)>, blocks_for(threads), kThreads, stream,
                      from, scale, shape, as<T>(out));
      });
    });
  });
}

}  // namespace qslaw::device
