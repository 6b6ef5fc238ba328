// Quantization of activations (lib/kernels/activation_quant.h), by activation_math.h's arithmetic: the CPU's
// bits.
#pragma once
#include "dispatch.cuh"
#include "kernels/activation_math.h"
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

// One thread per range.
template <bool kSymmetric>
__global__ void activation_grid_kernel(const float* high, const float* low, int64_t count, int bits,
                                       float* scale, float* zero) {
  const int64_t i = global_thread();
  if (i >= count) return;
  const ActivationStep step =
      kSymmetric ? symmetric_step(low[i], high[i], bits) : asymmetric_step(low[i], high[i], bits);
  scale[i] = step.scale, zero[i] = step.zero;
}

/// Rows of which a thread takes its columns where every column has constants of its own, 8 bytes per value
/// beside the 3 of a code and its 16-bit value: loaded once for all these rows.
inline constexpr int kGridRows = 4;

/// Constants of kWidth neighboring columns of a row: one for all, or where kPerColumn each its own.
template <int kWidth, bool kPerColumn>
struct GridSteps {
  __device__ __forceinline__ GridSteps(const CudaActivationGrid& grid, int64_t row, int64_t vector)
      : scale(load<kCount>(grid.scale, kPerColumn ? vector : row * grid.row_stride)),
        zero(load<kCount>(grid.zero, kPerColumn ? vector : row * grid.row_stride)) {}
  __device__ __forceinline__ ActivationStep at(int j) const {
    return {scale.values[kPerColumn ? j : 0], zero.values[kPerColumn ? j : 0]};
  }

  static constexpr int kCount = kPerColumn ? kWidth : 1;
  Values<float, kCount> scale, zero;
};

/// What a value becomes: its code, or its value on the grid; and what a code becomes: its value.
struct ValueToCode {
  int bits;
  template <typename T>
  __device__ __forceinline__ void operator()(T x, ActivationStep step, int8_t& out) const {
    out = static_cast<int8_t>(static_cast<int>(activation_code(widen(x), step, bits)));
  }
};
struct ValueToGrid {
  int bits;
  template <typename T>
  __device__ __forceinline__ void operator()(T x, ActivationStep step, T& out) const {
    narrow(activation_value(activation_code(widen(x), step, bits), step), out);
  }
};
struct CodeToValue {
  template <typename T>
  __device__ __forceinline__ void operator()(int8_t code, ActivationStep step, T& out) const {
    narrow(activation_value(static_cast<float>(code), step), out);
  }
};

// One thread per kWidth values of a row, or of kGridRows rows where columns have constants of their own;
// Index holds their number. Bytes moved per value: sizeof(From) + sizeof(To).
template <bool kPerColumn, int kWidth, typename Index, typename From, typename To, typename Map>
__global__ void map_activation_kernel(const From* from, CudaActivationGrid grid, CudaRows shape, Map map,
                                      To* to) {
  constexpr int kRows = kPerColumn ? kGridRows : 1;
  const int64_t i = global_thread(), vectors = shape.columns / kWidth;
  if (i >= (shape.rows + kRows - 1) / kRows * vectors) return;
  const Place<Index> place(i, vectors);
  const int64_t first = place.row * kRows, last = shape.rows - 1;
  const GridSteps<kWidth, kPerColumn> steps(grid, first, place.column);
  Values<From, kWidth> v[kRows];
  QSLAW_UNROLL
  for (int r = 0; r < kRows; ++r)  // behind the last row: that one again, and not stored
    v[r] = load<kWidth>(from, (first + r < last ? first + r : last) * vectors + place.column);
  QSLAW_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (first + r > last) return;
    Values<To, kWidth> y;
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      map(v[r].values[j], steps.at(j), y.values[j]);
    store(to, (first + r) * vectors + place.column, y);
  }
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

inline const char* activation_grid(const float* high, const float* low, int64_t count, int32_t bits,
                                   bool symmetric, float* scale, float* zero, void* stream) {
  return launch(symmetric ? activation_grid_kernel<true> : activation_grid_kernel<false>, blocks_for(count),
                kThreads, stream, high, low, count, static_cast<int>(bits), scale, zero);
}

template <typename From, typename To, typename Map>
const char* map_activation(const From* from, CudaActivationGrid grid, CudaRows shape, Map map, To* to,
                           void* stream) {
  return with_width(shape.columns, {from, to, grid.scale, grid.zero}, [&](auto width) {
    const auto queue = [&](auto per_column) {
      constexpr int kWidth = decltype(width)::value;
      constexpr bool kPerColumn = decltype(per_column)::value;
      const int64_t threads = blocks_for(shape.rows, kPerColumn ? kGridRows : 1) * (shape.columns / kWidth);
      return with_index(threads, [&](auto index) {
        return launch(map_activation_kernel<kPerColumn, kWidth, decltype(index), From, To, Map>,
                      blocks_for(threads), kThreads, stream, from, grid, shape, map, to);
      });
    };
    return grid.column_stride > 0 ? queue(std::true_type{}) : queue(std::false_type{});
  });
}

inline const char* quantize_activation(CudaInput x, CudaActivationGrid grid, CudaRows shape, int8_t* codes,
                                       void* stream) {
  return with_type(x, [&](auto* from) {
    return map_activation(from, grid, shape, ValueToCode{grid.bits}, codes, stream);
  });
}

inline const char* fake_quantize_activation(CudaInput x, CudaActivationGrid grid, CudaRows shape,
                                            CudaOutput out, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return map_activation(from, grid, shape, ValueToGrid{grid.bits}, as<T>(out), stream);
  });
}

inline const char* dequantize_activation(const int8_t* codes, CudaActivationGrid grid, CudaRows shape,
                                         CudaOutput out, void* stream) {
  return with_type(out,
                   [&](auto* to) { return map_activation(codes, grid, shape, CodeToValue{}, to, stream); });
}

}  // namespace qslaw::device
