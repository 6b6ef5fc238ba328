#include "kernels/decode_attention_cpu.h"

#include "kernels/exp_math.h"
#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

// Keys and values are read once for all queries: slots outside, queries inside.

template <typename T>
QSLAW_INLINE void score(const DecodeShape& s, const T* q, const T* keys, float* scores) {
  for (int64_t t = 0; t < s.slots; ++t) {
    const T* key = keys + t * s.head_size;
    for (int64_t h = 0; h < s.queries; ++h) {
      const T* query = q + h * s.head_size;
      const float product = lane_sum(s.head_size, [&](int64_t i) { return widen(query[i]) * widen(key[i]); });
      scores[h * s.slots + t] = product * s.scale;
    }
  }
}

QSLAW_INLINE void softmax(int64_t n, float* scores) {
  const float largest = lane_max(n, [&](int64_t i) { return scores[i]; });
  for (int64_t i = 0; i < n; ++i)
    scores[i] = exp_float(scores[i] - largest);
  const float factor = 1.0F / lane_sum(n, [&](int64_t i) { return scores[i]; });
  for (int64_t i = 0; i < n; ++i)
    scores[i] *= factor;
}

template <typename T>
QSLAW_INLINE void mix(const DecodeShape& s, const float* scores, const T* values, float* sums, T* out) {
  for (int64_t i = 0; i < s.queries * s.head_size; ++i)
    sums[i] = 0.0F;
  for (int64_t t = 0; t < s.slots; ++t) {
    const T* value = values + t * s.head_size;
    for (int64_t h = 0; h < s.queries; ++h) {
      const float share = scores[h * s.slots + t];
      float* sum = sums + h * s.head_size;
      for (int64_t i = 0; i < s.head_size; ++i)
        sum[i] += share * widen(value[i]);
    }
  }
  for (int64_t i = 0; i < s.queries * s.head_size; ++i)
    narrow(sums[i], out[i]);
}

template <typename T>
QSLAW_INLINE void attend_all(const DecodeShape& s, const T* q, const T* keys, const T* values, float* scores,
                             float* sums, T* out) {
  score(s, q, keys, scores);
  for (int64_t h = 0; h < s.queries; ++h)
    softmax(s.slots, scores + h * s.slots);
  mix(s, scores, values, sums, out);
}

}  // namespace

#define QSLAW_ROWS(T)                                                                                      \
  QSLAW_COPIES(                                                                                            \
      void, attend,                                                                                        \
      (DecodeShape shape, const T* q, const T* keys, const T* values, float* scores, float* sums, T* out), \
      attend_all, (shape, q, keys, values, scores, sums, out))

QSLAW_ROWS(float)
QSLAW_ROWS(c10::BFloat16)
QSLAW_ROWS(c10::Half)
#undef QSLAW_ROWS

}  // namespace qslaw::cpu
