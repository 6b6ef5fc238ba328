// Rotation of all heads (lib/kernels/rotary.h), by step_math.h's arithmetic: the CPU's bits.
#pragma once
#include <algorithm>

#include "dispatch.cuh"
#include "kernels/step_math.h"

namespace qslaw::device {

// One thread per kWidth pairs, of which Index holds the number. cos and sin are read once per head, from the
// cache after the first. Bytes moved per value: 2 * sizeof(T).
template <typename T, int kWidth, typename Index>
__global__ void rotate_kernel(const T* x, const T* cos, const T* sin, CudaRotation shape, T* out) {
  const int64_t half = shape.half / kWidth, pair = global_thread();
  if (pair >= shape.tokens * shape.heads * half) return;
  const Place<Index> in_head(pair, half), in_token(in_head.row, shape.heads);
  const Place<Index> in_table(in_token.row, shape.table_tokens);
  const int64_t first = 2 * half * in_head.row + in_head.column, second = first + half;
  const int64_t entry = 2 * half * in_table.column + in_head.column;
  const Values<T, kWidth> a = load<kWidth>(x, first), b = load<kWidth>(x, second);
  const Values<T, kWidth> c = load<kWidth>(cos, entry), s = load<kWidth>(sin, entry);
  Values<T, kWidth> to_first, to_second;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const Pair y = turned(widen(a.values[j]), widen(b.values[j]), widen(c.values[j]),
                          shape.direction * widen(s.values[j]), Rounding<T>{});
    narrow(y.first, to_first.values[j]);
    narrow(y.second, to_second.values[j]);
  }
  store(out, first, to_first);
  store(out, second, to_second);
}

inline const char* rotate_heads(CudaInput x, CudaInput cos, CudaInput sin, CudaRotation shape, CudaOutput out,
                                void* stream) {
  return with_type(x, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    return with_width(shape.half, {x.data, cos.data, sin.data, out.data}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const int64_t pairs = shape.tokens * shape.heads * (shape.half / kWidth);
      return with_index(std::max(pairs, shape.table_tokens), [&](auto index) {
        return launch(rotate_kernel<T, kWidth, decltype(index)>, blocks_for(pairs), kThreads, stream, from,
                      as<T>(cos), as<T>(sin), shape, as<T>(out));
      });
    });
  });
}

}  // namespace qslaw::device
