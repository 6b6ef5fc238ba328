// Quantization of activations (lib/kernels/activation_quant.h), by activation_math.h's arithmetic: the CPU's
// bits.
#pragma once
#include "activation_range.cuh"
#include "dispatch.cuh"
#include "kernels/activation_math.h"

namespace qslaw::device {

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
