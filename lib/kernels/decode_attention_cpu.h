// The query heads of one head of keys and values, per dtype; decode_attention.cpp splits tensors.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// Which part of the cache: T slots of S values in use, and the query heads that read them.
struct DecodeShape {
  int64_t queries, slots, head_size;
  float scale;  // 1 / sqrt(S)
};

/// out[queries][S] from q[queries][S], keys[slots][S] and values[slots][S].
/// scores: room for queries * slots; sums: for queries * S.
void attend(DecodeShape shape, const float* q, const float* keys, const float* values, float* scores,
            float* sums, float* out);
void attend(DecodeShape shape, const c10::BFloat16* q, const c10::BFloat16* keys, const c10::BFloat16* values,
            float* scores, float* sums, c10::BFloat16* out);
void attend(DecodeShape shape, const c10::Half* q, const c10::Half* keys, const c10::Half* values,
            float* scores, float* sums, c10::Half* out);

}  // namespace qslaw::cpu
