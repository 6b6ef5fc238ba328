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

// One thread per kWidth values of a row, of which Index holds the number; codes or values on the grid as Out
// says. The grid of row m, column k
// is at m * row_stride + k * column_stride. Bytes moved per value: sizeof(T) + sizeof(Out).
template <typename T, typename Out, int kWidth, typename Index>
__global__ void quantize_activation_kernel(const T* x, CudaActivationGrid grid, CudaRows shape, Out* out) {
  const int64_t i = global_thread(), count = shape.columns / kWidth;
  if (i >= shape.rows * count) return;
  const Place<Index> place(i, count);
  const int64_t first = place.row * grid.row_stride + place.column * kWidth * grid.column_stride;
  const Values<T, kWidth> v = load<kWidth>(x, i);
  Values<Out, kWidth> y;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const int64_t at = first + j * grid.column_stride;
    const ActivationStep step{grid.scale[at], grid.zero[at]};
    const float code = activation_code(widen(v.values[j]), step, grid.bits);
    if constexpr (sizeof(Out) == 1)
      y.values[j] = static_cast<Out>(static_cast<int>(code));
    else
      narrow(activation_value(code, step), y.values[j]);
  }
  store(out, i, y);
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

template <typename Out>
const char* with_activation_grid(CudaInput x, CudaActivationGrid grid, CudaRows shape, Out* out,
                                 void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    using To = std::conditional_t<std::is_void_v<Out>, T, Out>;
    return with_width(shape.columns, {x.data, out}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const int64_t threads = shape.rows * (shape.columns / kWidth);
      return with_index(threads, [&](auto index) {
        return launch(quantize_activation_kernel<T, To, kWidth, decltype(index)>, blocks_for(threads),
                      kThreads, stream, from, grid, shape, static_cast<To*>(out));
      });
    });
  });
}

inline const char* quantize_activation(CudaInput x, CudaActivationGrid grid, CudaRows shape, int8_t* codes,
                                       void* stream) {
  return with_activation_grid(x, grid, shape, codes, stream);
}

inline const char* fake_quantize_activation(CudaInput x, CudaActivationGrid grid, CudaRows shape,
                                            CudaOutput out, void* stream) {
  return with_activation_grid(x, grid, shape, out.data, stream);
}

}  // namespace qslaw::device
