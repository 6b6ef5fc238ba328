// Attention of one new token per sequence over the cache (lib/kernels/decode_attention.h). One sequence has
// no more than some 32 heads, so a head's slots are split among blocks, and a second kernel joins the splits
// (with one there is nothing to join). Which slots a thread adds, and in which order sums are joined, depends
// on the operands' shape and a sequence's length alone.
//
// A set of kLanes lanes reads a slot, 8 elements a lane. Every lane issues the loads of kTileSlots keys and
// values before it uses one: 128 bytes of 16-bit values in flight per thread, 16 KB per block of 128 threads.
// Query heads that read the same keys and values share what is loaded, up to 4 of them. Softmax runs along
// (a sum of exp(score - largest so far), scaled anew when the largest grows), so that nothing is read twice.
#pragma once
#include "dispatch.cuh"
#include "kernels/exp_math.h"
#include "reduce.cuh"

namespace qslaw::device {

inline constexpr int kAttentionThreads = 128;
inline constexpr int kTileSlots = 4;
inline constexpr float kNoScore = -3.0e38F;  // below every score, and finite: no infinity minus infinity

/// The operands; parts, of more than one split: for each head and split S sums of values, then for each its
/// largest score, then the sum of its shares.
template <typename T>
struct AttentionJob {
  const T* q;
  const T* keys;
  const T* values;
  const int64_t* lengths;
  CudaAttention shape;
  float* parts;
  T* out;
};

/// Running softmax over some slots: the sum of shares and of shares times values, as if `largest` were the
/// largest score of all.
struct AttentionSum {
  float largest, shares, values;
};

/// `count` sums in their order; at(i) is the i-th. One without slots has no shares, and adds nothing.
template <typename At>
__device__ __forceinline__ AttentionSum join_sums(int64_t count, const At& at) {
  AttentionSum all{kNoScore, 0.0F, 0.0F};
  for (int64_t i = 0; i < count; ++i)
    all.largest = Larger{}(all.largest, at(i).largest);
  for (int64_t i = 0; i < count; ++i) {
    const AttentionSum part = at(i);
    const float weight = exp_float(part.largest - all.largest);
    all.shares = fmaf(weight, part.shares, all.shares);
    all.values = fmaf(weight, part.values, all.values);
  }
  return all;
}

template <typename T>
__device__ __forceinline__ void store_mean(const AttentionSum& sum, T& out) {
  narrow(sum.values / sum.shares, out);
}

/// What a block attends to: up to kQueries query heads from `head` on, over slots begin..end-1 of a sequence.
struct AttentionPart {
  int64_t sequence, kv_head, head, queries, split, begin, end;

  __device__ __forceinline__ AttentionPart(const CudaAttention& shape, const int64_t* lengths,
                                           int max_queries) {
    const int64_t group = shape.heads / shape.kv_heads, chunks = (group + max_queries - 1) / max_queries;
    const int64_t chunk = blockIdx.x / shape.splits % chunks, row = blockIdx.x / shape.splits / chunks;
    const int64_t left = group - chunk * max_queries, span = (shape.slots + shape.splits - 1) / shape.splits;
    split = blockIdx.x % shape.splits;
    sequence = row / shape.kv_heads, kv_head = row % shape.kv_heads;
    head = sequence * shape.heads + kv_head * group + chunk * max_queries;
    queries = left < max_queries ? left : max_queries;
    const int64_t length = lengths[sequence] < shape.slots ? lengths[sequence] : shape.slots;
    begin = split * span;
    end = begin + span < length ? begin + span : length;
  }
};

/// A lane's 8 elements of the running sums of one query head.
struct LaneSums {
  float largest = kNoScore, shares = 0.0F;
  float values[8] = {};

  /// Adds slots with these scores; of values[j] those with counts[j].
  template <typename T>
  __device__ __forceinline__ void add(const float (&scores)[kTileSlots], const bool (&counts)[kTileSlots],
                                      const Values<T, 8> (&slots)[kTileSlots]) {
    float top = largest;
    QSLAW_UNROLL
    for (int j = 0; j < kTileSlots; ++j)
      top = counts[j] ? Larger{}(top, scores[j]) : top;
    const float correction = exp_float(largest - top);
    largest = top;
    shares *= correction;
    QSLAW_UNROLL
    for (int i = 0; i < 8; ++i)
      values[i] *= correction;
    QSLAW_UNROLL
    for (int j = 0; j < kTileSlots; ++j) {
      const float share = counts[j] ? exp_float(scores[j] - top) : 0.0F;
      shares += share;
      QSLAW_UNROLL
      for (int i = 0; i < 8; ++i)
        values[i] = fmaf(share, widen(slots[j].values[i]), values[i]);
    }
  }
};

// One block per split of kQueries query heads. Bytes moved: keys and values of the sequence's slots, once per
// kQueries heads, and S + 2 floats per head and split; of one split the result.
template <typename T, int kLanes, int kQueries>
__global__ void attend_splits_kernel(AttentionJob<T> job) {
  constexpr int kSets = kAttentionThreads / kLanes;
  QSLAW_SHARED(float, largest, [kSets][kQueries]);
  QSLAW_SHARED(float, shares, [kSets][kQueries]);
  QSLAW_SHARED(float, values, [kSets][kQueries][8 * kLanes]);
  const AttentionPart part(job.shape, job.lengths, kQueries);
  const int lane = static_cast<int>(threadIdx.x) % kLanes, set = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t vectors = job.shape.head_size / 8, element = lane < vectors ? lane : 0;
  const int64_t from = part.sequence * job.shape.sequence_stride + part.kv_head * job.shape.head_stride;
  float q[kQueries][8];
  QSLAW_UNROLL
  for (int h = 0; h < kQueries; ++h) {
    const int64_t head =
        part.head + (h < part.queries ? h : 0);  // beyond the last: the first, and not stored
    const Values<T, 8> query = load<8>(job.q, head * vectors + element);
    QSLAW_UNROLL
    for (int i = 0; i < 8; ++i)
      q[h][i] = lane < vectors ? widen(query.values[i]) * job.shape.scale : 0.0F;
  }
  LaneSums sums[kQueries];
  for (int64_t tile = part.begin; tile < part.end; tile += kSets * kTileSlots) {
    Values<T, 8> tile_keys[kTileSlots], tile_values[kTileSlots];
    bool counts[kTileSlots];
    QSLAW_UNROLL
    for (int j = 0; j < kTileSlots; ++j) {
      const int64_t slot = tile + j * kSets + set;
      counts[j] = slot < part.end;  // beyond the last: that one again, and not counted
      const int64_t vector = (counts[j] ? slot : part.end - 1) * vectors + element;
      tile_keys[j] = load<8>(job.keys + from, vector);
      tile_values[j] = load<8>(job.values + from, vector);
    }
    QSLAW_UNROLL
    for (int h = 0; h < kQueries; ++h) {
      float scores[kTileSlots];
      QSLAW_UNROLL
      for (int j = 0; j < kTileSlots; ++j) {
        float product = 0.0F;
        QSLAW_UNROLL
        for (int i = 0; i < 8; ++i)
          product = fmaf(q[h][i], widen(tile_keys[j].values[i]), product);
        scores[j] = warp_reduce(lane < vectors ? product : 0.0F, Add{}, kLanes);
      }
      sums[h].add(scores, counts, tile_values);
    }
  }
  QSLAW_UNROLL
  for (int h = 0; h < kQueries; ++h) {
    if (lane == 0) largest[set][h] = sums[h].largest, shares[set][h] = sums[h].shares;
    QSLAW_UNROLL
    for (int i = 0; i < 8; ++i)
      values[set][h][8 * lane + i] = sums[h].values[i];
  }
  __syncthreads();
  const int64_t S = job.shape.head_size;
  const int64_t rows = job.shape.sequences * job.shape.heads * job.shape.splits;
  for (int64_t i = threadIdx.x; i < part.queries * S; i += kAttentionThreads) {
    const int64_t h = i / S, row = (part.head + h) * job.shape.splits + part.split;
    const AttentionSum sum = join_sums(kSets, [&](int64_t s) {
      return AttentionSum{largest[s][h], shares[s][h], values[s][h][i % S]};
    });
    if (job.shape.splits == 1) {
      store_mean(sum, job.out[row * S + i % S]);
      continue;
    }
    job.parts[row * S + i % S] = sum.values;
    if (i % S > 0) continue;
    job.parts[rows * S + row] = sum.largest;
    job.parts[rows * (S + 1) + row] = sum.shares;
  }
}

// One thread per element of the result.
template <typename T>
__global__ void join_splits_kernel(const float* parts, CudaAttention shape, T* out) {
  const int64_t S = shape.head_size, heads = shape.sequences * shape.heads, i = global_thread();
  if (i >= heads * S) return;
  const int64_t rows = heads * shape.splits, first = i / S * shape.splits;
  const AttentionSum sum = join_sums(shape.splits, [&](int64_t split) {
    const int64_t row = first + split;
    return AttentionSum{parts[rows * S + row], parts[rows * (S + 1) + row], parts[row * S + i % S]};
  });
  store_mean(sum, out[i]);
}

template <int kLanes, typename T>
const char* launch_attention(const AttentionJob<T>& job, void* stream) {
  const int64_t rows = job.shape.sequences * job.shape.kv_heads * job.shape.splits;
  const int64_t group = job.shape.heads / job.shape.kv_heads;
  if (group == 1) return launch(attend_splits_kernel<T, kLanes, 1>, rows, kAttentionThreads, stream, job);
  return launch(attend_splits_kernel<T, kLanes, 4>, rows * blocks_for(group, 4), kAttentionThreads, stream,
                job);
}

inline const char* decode_attention(CudaInput q, CudaInput keys, CudaInput values, const int64_t* lengths,
                                    CudaAttention shape, float* parts, CudaOutput out, void* stream) {
  if (shape.head_size % 8 != 0 || shape.head_size > 256) return "expected heads of 8, 16, ... 256 elements";
  return with_type(q, [&](auto* from) {
    using T = ElementOf<decltype(from)>;
    const AttentionJob<T> job{from, as<T>(keys), as<T>(values), lengths, shape, parts, as<T>(out)};
    const char* problem = shape.head_size <= 64    ? launch_attention<8>(job, stream)
                          : shape.head_size <= 128 ? launch_attention<16>(job, stream)
                                                   : launch_attention<32>(job, stream);
    if (problem || shape.splits == 1) return problem;
    const int64_t elements = shape.sequences * shape.heads * shape.head_size;
    return launch(join_splits_kernel<T>, blocks_for(elements), kThreads, stream,
                  static_cast<const float*>(parts), shape, as<T>(out));
  });
}

}  // namespace qslaw::device
