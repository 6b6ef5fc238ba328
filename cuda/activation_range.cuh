// Ranges of activations per token, channel and tensor (lib/kernels/activation_quant.h): the CPU's, but that
// of equal zeros either may be found.
#pragma once
#include "dispatch.cuh"
#include "reduce.cuh"

namespace qslaw::device {

/// Largest and smallest of what a thread has seen. What is not a number is passed over.
struct RunningRange {
  float largest = -INFINITY, smallest = INFINITY;

  __device__ __forceinline__ void add(float high, float low) {
    largest = Larger{}(largest, high);
    smallest = Smaller{}(smallest, low);
  }
  /// The block's; all its threads must call it.
  __device__ __forceinline__ void store_block(float* high, float* low) const {
    const float block_high = block_reduce(largest, Larger{}), block_low = block_reduce(smallest, Smaller{});
    if (threadIdx.x == 0) *high = block_high, *low = block_low;
  }
};

// One block per row. Bytes moved per value: sizeof(T).
template <typename T, int kWidth>
__global__ void row_range_kernel(const T* x, int64_t columns, float* high, float* low) {
  const int64_t row = blockIdx.x;
  const T* from = x + row * columns;
  RunningRange range;
  for (int64_t i = threadIdx.x; i < columns / kWidth; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      range.add(widen(v.values[j]), widen(v.values[j]));
  }
  range.store_block(high + row, low + row);
}

// One block joins `count` ranges.
template <int kWidth>
__global__ void join_row_ranges_kernel(const float* highs, const float* lows, int64_t count, float* high,
                                       float* low) {
  RunningRange range;
  for (int64_t i = threadIdx.x; i < count / kWidth; i += blockDim.x) {
    const Values<float, kWidth> h = load<kWidth>(highs, i), l = load<kWidth>(lows, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      range.add(h.values[j], l.values[j]);
  }
  range.store_block(high, low);
}

/// Rows that a thread loads from before it uses one: bytes in flight.
inline constexpr int kRangeRows = 4;

// One thread per kWidth columns of a slab of rows. Bytes moved per value: sizeof(T); per column of a slab 8
// written.
template <typename T, int kWidth>
__global__ void column_range_kernel(const T* x, CudaRows shape, int64_t slab_rows, float* highs,
                                    float* lows) {
  const int64_t vectors = shape.columns / kWidth;
  const SlabColumn part(CudaRows{shape.rows, vectors}, slab_rows);
  if (part.column >= vectors) return;
  RunningRange ranges[kWidth];
  for (int64_t row = part.begin; row < part.end; row += kRangeRows) {
    Values<T, kWidth> v[kRangeRows];
    QSLAW_UNROLL
    for (int r = 0; r < kRangeRows; ++r)  // behind the last row: that one again, which widens no range
      v[r] = load<kWidth>(x, (row + r < part.end ? row + r : part.end - 1) * vectors + part.column);
    QSLAW_UNROLL
    for (int r = 0; r < kRangeRows; ++r) {
      QSLAW_UNROLL
      for (int j = 0; j < kWidth; ++j)
        ranges[j].add(widen(v[r].values[j]), widen(v[r].values[j]));
    }
  }
  Values<float, kWidth> high, low;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j)
    high.values[j] = ranges[j].largest, low.values[j] = ranges[j].smallest;
  store(highs, part.slab * vectors + part.column, high);
  store(lows, part.slab * vectors + part.column, low);
}

// One block per 32 columns, of whose slabs a warp takes every kWarps-th: one thread per column would wait for
// one slab after the other, longer than the slabs themselves take.
template <int kWarps>
__global__ void join_column_ranges_kernel(const float* highs, const float* lows, CudaRows slabs, float* high,
                                          float* low) {
  QSLAW_SHARED(float, largest, [kWarps][32]);
  QSLAW_SHARED(float, smallest, [kWarps][32]);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * 32 + lane;
  RunningRange range;
  if (column < slabs.columns) {
    for (int64_t slab = warp; slab < slabs.rows; slab += kWarps)
      range.add(highs[slab * slabs.columns + column], lows[slab * slabs.columns + column]);
  }
  largest[warp][lane] = range.largest, smallest[warp][lane] = range.smallest;
  __syncthreads();
  if (warp > 0 || column >= slabs.columns) return;
  for (int other = 1; other < kWarps; ++other)
    range.add(largest[other][lane], smallest[other][lane]);
  high[column] = range.largest, low[column] = range.smallest;
}

inline const char* activation_row_range(CudaInput x, CudaRows shape, float* high, float* low, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data}, [&](auto width) {
      return launch(row_range_kernel<T, decltype(width)::value>, shape.rows, kThreads, stream, from,
                    shape.columns, high, low);
    });
  });
}

inline const char* activation_column_range(CudaInput x, CudaRows shape, int64_t slab_rows, float* highs,
                                           float* lows, float* high, float* low, void* stream) {
  const int64_t slabs = blocks_for(shape.rows, slab_rows);
  const char* problem = with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data, highs, lows}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      return launch(column_range_kernel<T, kWidth>, slabs * blocks_for(shape.columns / kWidth), kThreads,
                    stream, from, shape, slab_rows, highs, lows);
    });
  });
  if (problem) return problem;
  return launch(join_column_ranges_kernel<kThreads / 32>, blocks_for(shape.columns, 32), kThreads, stream,
                static_cast<const float*>(highs), static_cast<const float*>(lows),
                CudaRows{slabs, shape.columns}, high, low);
}

inline const char* join_row_ranges(const float* highs, const float* lows, int64_t count, float* high,
                                   float* low, void* stream) {
  return with_width(count, {highs, lows}, [&](auto width) {
    return launch(join_row_ranges_kernel<decltype(width)::value>, 1, kThreads, stream, highs, lows, count,
                  high, low);
  });
}

inline const char* activation_tensor_range(CudaInput x, CudaRows shape, float* highs, float* lows,
                                           float* high, float* low, void* stream) {
  const char* problem = activation_row_range(x, shape, highs, lows, stream);
  return problem ? problem : join_row_ranges(highs, lows, shape.rows, high, low, stream);
}

}  // namespace qslaw::device
