// Rotation of one token's heads, per dtype.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// x and out: `heads` times 2 * half values; cos, sin: half values. direction 1 turns forward, -1 back.
void rotate_token(const float* x, const float* cos, const float* sin, int64_t heads, int64_t half,
                  float direction, float* out);
void rotate_token(const c10::BFloat16* x, const c10::BFloat16* cos, const c10::BFloat16* sin, int64_t heads,
                  int64_t half, float direction, c10::BFloat16* out);
void rotate_token(const c10::Half* x, const c10::Half* cos, const c10::Half* sin, int64_t heads, int64_t half,
                  float direction, c10::Half* out);

}  // namespace qslaw::cpu
