// Quantization of activations (lib/kernels/activation_quant.h), by activation_math.h's arithmetic: the CPU's
// bits.
#pragma once
#include "dispatch.cuh"
#include "kernels/activation_math.h"
#include "reduce.cuh"

namespace qslaw::device {

// One block per row. Bytes moved per value: sizeof(T).
template <typename T, int kWidth>
__global__ void row_range_kernel(const T* x, int64_t columns, float* high, float* low) {
  const int64_t row = blockIdx.x;
  const T* from = x + row * columns;
  float largest = -INFINITY, smallest = INFINITY;
  for (int64_t i = threadIdx.x; i < columns / kWidth; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j) {
      largest = Larger{}(largest, widen(v.values[j]));
      smallest = Smaller{}(smallest, widen(v.values[j]));
    }
  }
  largest = block_reduce(largest, Larger{});
  smallest = block_reduce(smallest, Smaller{});
  if (threadIdx.x == 0) high[row] = largest, low[row] = smallest;
}

// One thread per column of a slab of rows: the range of `highs` to high and that of `lows` to low, which may
// be the same matrix. Bytes moved per value: sizeof(T), from two matrices each.
template <typename T>
__global__ void column_range_kernel(const T* highs, const T* lows, CudaRows shape, int64_t slab_rows,
                                    float* high, float* low) {
  const SlabColumn part(shape, slab_rows);
  if (part.column >= shape.columns) return;
  float largest = -INFINITY, smallest = INFINITY;
  for (int64_t row = part.begin; row < part.end; ++row) {
    largest = Larger{}(largest, widen(highs[row * shape.columns + part.column]));
    smallest = Smaller{}(smallest, widen(lows[row * shape.columns + part.column]));
  }
  high[part.slab * shape.columns + part.column] = largest;
  low[part.slab * shape.columns + part.column] = smallest;
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
  const int64_t slabs = blocks_for(shape.rows, slab_rows), column_blocks = blocks_for(shape.columns);
  const char* problem = with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return launch(column_range_kernel<T>, slabs * column_blocks, kThreads, stream, from, from, shape,
                  slab_rows, highs, lows);
  });
  if (problem) return problem;
  return launch(column_range_kernel<float>, column_blocks, kThreads, stream, static_cast<const float*>(highs),
                static_cast<const float*>(lows), CudaRows{slabs, shape.columns}, slabs, high, low);
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
