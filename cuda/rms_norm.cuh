// RMS normalization and its gradients (lib/kernels/rms_norm.h), by step_math.h's arithmetic. Sums over a row
// have an order of their own (reduce.cuh), so that results differ from the CPU's by roundings; the weight's
// gradient is summed in the CPU's order.
#pragma once
#include "dispatch.cuh"
#include "kernels/step_math.h"
#include "reduce.cuh"

namespace qslaw::device {

/// Adds the squares of a vector's values, one after the other.
template <typename T, int kWidth>
__device__ __forceinline__ void add_squares(const Values<T, kWidth>& v, float& squares) {
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j)
    squares += widen(v.values[j]) * widen(v.values[j]);
}

template <typename T, int kWidth>
__device__ __forceinline__ Values<T, kWidth> normalized(const Values<T, kWidth>& v,
                                                        const Values<T, kWidth>& weight, float inverse_rms) {
  Values<T, kWidth> out;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    narrow(rms_value(widen(v.values[j]), widen(weight.values[j]), inverse_rms, Rounding<T>{}), out.values[j]);
  }
  return out;
}

/// a + b as T holds it.
template <typename T, int kWidth>
__device__ __forceinline__ Values<T, kWidth> added(const Values<T, kWidth>& a, const Values<T, kWidth>& b) {
  Values<T, kWidth> out;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j)
    narrow(widen(a.values[j]) + widen(b.values[j]), out.values[j]);
  return out;
}

// One block per row, which it reads twice, the second time from the cache. Bytes moved per value: 2 *
// sizeof(T), and the weights from the cache.
template <typename T, int kWidth>
__global__ void rms_norm_kernel(const T* x, const T* weight, int64_t columns, float eps, T* y,
                                float* inverse_rms) {
  const int64_t row = blockIdx.x, count = columns / kWidth;
  const T* from = x + row * columns;
  T* to = y + row * columns;
  float squares = 0.0F;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    add_squares(load<kWidth>(from, i), squares);
  const float inverse = rms_inverse(block_reduce(squares, Add{}), columns, eps);
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    store(to, i, normalized(load<kWidth>(from, i), load<kWidth>(weight, i), inverse));
  if (threadIdx.x == 0) inverse_rms[row] = inverse;
}

// As above, of rows of x + delta, which are added a second time, from the cache, instead of read back behind
// their store. Values are summed in the order of rms_norm_kernel of the same kWidth. Bytes moved per value: 4
// * sizeof(T).
template <typename T, int kWidth>
__global__ void add_rms_norm_kernel(const T* x, const T* delta, const T* weight, int64_t columns, float eps,
                                    T* sum, T* norm) {
  const int64_t first = blockIdx.x * columns, count = columns / kWidth;
  const auto value = [&](int64_t i) {
    return added(load<kWidth>(x + first, i), load<kWidth>(delta + first, i));
  };
  float squares = 0.0F;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    add_squares(value(i), squares);
  const float inverse = rms_inverse(block_reduce(squares, Add{}), columns, eps);
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Values<T, kWidth> v = value(i);
    store(sum + first, i, v);
    store(norm + first, i, normalized(v, load<kWidth>(weight, i), inverse));
  }
}

// One block per row, as above. Bytes moved per value: 3 * sizeof(T).
template <typename T, int kWidth>
__global__ void rms_norm_gradient_kernel(const T* x, const T* weight, const T* dY, int64_t columns,
                                         const float* inverse_rms, T* dX) {
  const int64_t row = blockIdx.x, count = columns / kWidth;
  const T* from = x + row * columns;
  const T* gradient = dY + row * columns;
  T* to = dX + row * columns;
  const Rounding<T> round;
  float products = 0.0F;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i), w = load<kWidth>(weight, i),
                            d = load<kWidth>(gradient, i);
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j)
      products += round(widen(d.values[j]) * widen(w.values[j])) * widen(v.values[j]);
  }
  const float inverse = inverse_rms[row];
  const float along = rms_along(block_reduce(products, Add{}), inverse, columns);
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Values<T, kWidth> v = load<kWidth>(from, i), w = load<kWidth>(weight, i),
                            d = load<kWidth>(gradient, i);
    Values<T, kWidth> out;
    QSLAW_UNROLL
    for (int j = 0; j < kWidth; ++j) {
      narrow(rms_gradient(widen(v.values[j]), widen(w.values[j]), widen(d.values[j]), inverse, along, round),
             out.values[j]);
    }
    store(to, i, out);
  }
}

// One thread per column of a slab of rows, which it adds in their order. Bytes moved per value: 2 *
// sizeof(T).
template <typename T>
__global__ void rms_norm_weight_parts_kernel(const T* x, const T* dY, CudaRows shape,
                                             const float* inverse_rms, int64_t slab_rows, float* parts) {
  const SlabColumn part(shape, slab_rows);
  if (part.column >= shape.columns) return;
  float sum = 0.0F;
  for (int64_t row = part.begin; row < part.end; ++row) {
    const int64_t at = row * shape.columns + part.column;
    sum += rms_weight_term(widen(x[at]), widen(dY[at]), inverse_rms[row], Rounding<T>{});
  }
  parts[part.slab * shape.columns + part.column] = sum;
}

// One thread per column: the slabs in their order. (A template, so that several files may hold it.)
template <typename T>
__global__ void sum_slabs_kernel(const T* parts, int64_t slabs, int64_t columns, T* out) {
  const int64_t column = global_thread();
  if (column >= columns) return;
  T sum = 0;
  for (int64_t slab = 0; slab < slabs; ++slab)
    sum += parts[slab * columns + column];
  out[column] = sum;
}

inline const char* rms_norm(CudaInput x, CudaInput weight, CudaRows shape, float eps, CudaOutput y,
                            float* inverse_rms, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data, weight.data, y.data}, [&](auto width) {
      return launch(rms_norm_kernel<T, decltype(width)::value>, shape.rows, kThreads, stream, from,
                    as<T>(weight), shape.columns, eps, as<T>(y), inverse_rms);
    });
  });
}

inline const char* add_rms_norm(CudaInput x, CudaInput delta, CudaInput weight, CudaRows shape, float eps,
                                CudaOutput sum, CudaOutput norm, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data, delta.data, weight.data, sum.data, norm.data}, [&](auto width) {
      return launch(add_rms_norm_kernel<T, decltype(width)::value>, shape.rows, kThreads, stream, from,
                    as<T>(delta), as<T>(weight), shape.columns, eps, as<T>(sum), as<T>(norm));
    });
  });
}

inline const char* rms_norm_gradient(CudaInput x, CudaInput weight, CudaInput dY, CudaRows shape,
                                     const float* inverse_rms, CudaOutput dX, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.columns, {x.data, weight.data, dY.data, dX.data}, [&](auto width) {
      return launch(rms_norm_gradient_kernel<T, decltype(width)::value>, shape.rows, kThreads, stream, from,
                    as<T>(weight), as<T>(dY), shape.columns, inverse_rms, as<T>(dX));
    });
  });
}

inline const char* rms_norm_weight_gradient(CudaInput x, CudaInput dY, CudaRows shape,
                                            const float* inverse_rms, int64_t slab_rows, float* parts,
                                            float* out, void* stream) {
  const int64_t slabs = blocks_for(shape.rows, slab_rows), column_blocks = blocks_for(shape.columns);
  const char* problem = with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return launch(rms_norm_weight_parts_kernel<T>, slabs * column_blocks, kThreads, stream, from, as<T>(dY),
                  shape, inverse_rms, slab_rows, parts);
  });
  if (problem) return problem;
  return launch(sum_slabs_kernel<float>, column_blocks, kThreads, stream, static_cast<const float*>(parts),
                slabs, shape.columns, out);
}

}  // namespace qslaw::device
