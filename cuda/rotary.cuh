// Rotation of all heads, and of a new token's on their way into the cache (lib/kernels/rotary.h), by
// step_math.h's arithmetic: the CPU's bits.
#pragma once
#include <algorithm>

#include "dispatch.cuh"
#include "kernels/step_math.h"

namespace qslaw::device {

/// kWidth pairs of a head: values of its first half, and those half a head further.
template <typename T, int kWidth>
struct Pairs {
  Values<T, kWidth> first, second;
};

// Indices and halves are in vectors of kWidth.

template <int kWidth, typename T>
__device__ __forceinline__ Pairs<T, kWidth> load_pairs(const T* from, int64_t index, int64_t half) {
  return {load<kWidth>(from, index), load<kWidth>(from, index + half)};
}

template <int kWidth, typename T>
__device__ __forceinline__ void store_pairs(T* to, int64_t index, int64_t half,
                                            const Pairs<T, kWidth>& pairs) {
  store(to, index, pairs.first);
  store(to, index + half, pairs.second);
}

/// Pairs turned by the angles at index `entry` of a table.
template <int kWidth, typename T>
__device__ __forceinline__ Pairs<T, kWidth> turned_pairs(const Pairs<T, kWidth>& x, const T* cos,
                                                         const T* sin, int64_t entry, float direction) {
  const Values<T, kWidth> c = load<kWidth>(cos, entry), s = load<kWidth>(sin, entry);
  Pairs<T, kWidth> out;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const Pair y = turned(widen(x.first.values[j]), widen(x.second.values[j]), widen(c.values[j]),
                          direction * widen(s.values[j]), Rounding<T>{});
    narrow(y.first, out.first.values[j]);
    narrow(y.second, out.second.values[j]);
  }
  return out;
}

// One thread per kWidth pairs, of which Index holds the number. cos and sin are read once per head, from the
// cache after the first. Bytes moved per value: 2 * sizeof(T).
template <typename T, int kWidth, typename Index>
__global__ void rotate_kernel(const T* x, const T* cos, const T* sin, CudaRotation shape, T* out) {
  const int64_t half = shape.half / kWidth, pair = global_thread();
  if (pair >= shape.tokens * shape.heads * half) return;
  const Place<Index> in_head(pair, half), in_token(in_head.row, shape.heads);
  const Place<Index> in_table(in_token.row, shape.table_tokens);
  const int64_t index = 2 * half * in_head.row + in_head.column;
  const int64_t entry = 2 * half * in_table.column + in_head.column;
  const Pairs<T, kWidth> x_pairs = load_pairs<kWidth>(x, index, half);
  store_pairs(out, index, half, turned_pairs(x_pairs, cos, sin, entry, shape.direction));
}

/// A new token's operands (CudaKernels::rotate_and_store).
template <typename T>
struct TokenJob {
  const T* q;
  const T* k;
  const T* v;
  const T* cos;
  const T* sin;
  const int64_t* slots;
  CudaNewToken shape;
  T* rotated;
  T* keys;
  T* values;
};

// One thread per kWidth pairs of a sequence's heads: those of queries, then of keys, then of values. Bytes
// moved per value: 2 * sizeof(T).
template <typename T, int kWidth, typename Index>
__global__ void rotate_and_store_kernel(TokenJob<T> job) {
  const CudaNewToken& shape = job.shape;
  const int64_t half = shape.half / kWidth, heads = shape.heads + 2 * shape.kv_heads, pair = global_thread();
  if (pair >= shape.sequences * heads * half) return;
  const Place<Index> in_head(pair, half), in_sequence(in_head.row, heads);
  const int64_t sequence = in_sequence.row, head = in_sequence.column;
  const int64_t entry = 2 * half * sequence + in_head.column;
  if (head < shape.heads) {
    const int64_t index = 2 * half * (sequence * shape.heads + head) + in_head.column;
    const Pairs<T, kWidth> query = load_pairs<kWidth>(job.q, index, half);
    store_pairs(job.rotated, index, half, turned_pairs(query, job.cos, job.sin, entry, 1.0F));
    return;
  }
  const bool is_key = head < shape.heads + shape.kv_heads;
  const int64_t kv_head = head - shape.heads - (is_key ? 0 : shape.kv_heads);
  const int64_t row = sequence * shape.kv_heads + kv_head, slot = job.slots[sequence];
  if (slot < 0 || slot >= shape.slots) return;
  const int64_t from = 2 * half * row + in_head.column;
  const int64_t to = 2 * half * (row * shape.slots + slot) + in_head.column;
  if (is_key) {
    const Pairs<T, kWidth> key = load_pairs<kWidth>(job.k, from, half);
    store_pairs(job.keys, to, half, turned_pairs(key, job.cos, job.sin, entry, 1.0F));
  } else {
    store_pairs(job.values, to, half, load_pairs<kWidth>(job.v, from, half));
  }
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

inline const char* rotate_and_store(CudaInput q, CudaInput k, CudaInput v, CudaInput cos, CudaInput sin,
                                    const int64_t* slots, CudaNewToken shape, CudaOutput rotated,
                                    CudaOutput keys, CudaOutput values, void* stream) {
  return with_type(q, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    const TokenJob<T> job{from,  as<T>(k), as<T>(v),       as<T>(cos),  as<T>(sin),
                          slots, shape,    as<T>(rotated), as<T>(keys), as<T>(values)};
    return with_width(
        shape.half, {q.data, k.data, v.data, cos.data, sin.data, rotated.data, keys.data, values.data},
        [&](auto width) {
          constexpr int kWidth = decltype(width)::value;
          const int64_t pairs = shape.sequences * (shape.heads + 2 * shape.kv_heads) * (shape.half / kWidth);
          return with_index(pairs, [&](auto index) {
            return launch(rotate_and_store_kernel<T, kWidth, decltype(index)>, blocks_for(pairs), kThreads,
                          stream, job);
          });
        });
  });
}

}  // namespace qslaw::device
