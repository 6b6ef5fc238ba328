// Dropout without a stored mask (lib/kernels/dropout.h): dropout_math.h's function of seed and position, so
// that the mask is the CPU's.
#pragma once
#include "dispatch.cuh"
#include "kernels/dropout_math.h"

namespace qslaw::device {

// One thread per kWidth entries: out is x dropped out, or has that added to it. Bytes moved per entry: 2 or 3
// * sizeof(T).
template <typename T, int kWidth, bool kAdd>
__global__ void dropout_kernel(const T* x, int64_t count, Dropout dropout, T* out) {
  const int64_t i = global_thread();
  if (i >= count) return;
  const Values<T, kWidth> v = load<kWidth>(x, i);
  Values<T, kWidth> y;
  if constexpr (kAdd) y = load<kWidth>(out, i);
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const float term = dropped(widen(v.values[j]), static_cast<uint32_t>(kWidth * i + j), dropout);
    if constexpr (kAdd)
      narrow(widen(y.values[j]) + Rounding<T>{}(term), y.values[j]);
    else
      narrow(term, y.values[j]);
  }
  store(out, i, y);
}

template <bool kAdd>
const char* launch_dropout(CudaInput x, int64_t n, Dropout options, CudaOutput out, void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(n, {x.data, out.data}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      return launch(dropout_kernel<T, kWidth, kAdd>, blocks_for(n / kWidth), kThreads, stream, from,
                    n / kWidth, options, as<T>(out));
    });
  });
}

inline const char* dropout(CudaInput x, int64_t n, Dropout options, CudaOutput out, void* stream) {
  return launch_dropout<false>(x, n, options, out, stream);
}

inline const char* add_dropout(CudaInput x, int64_t n, Dropout options, CudaOutput sum, void* stream) {
  return launch_dropout<true>(x, n, options, sum, stream);
}

}  // namespace qslaw::device
