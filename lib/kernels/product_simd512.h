// What both AVX-512 products share: sums of 16 lanes, chunks of codes, scales per lane. Internal linkage, see
// row_kernels.h.
#pragma once
#include <immintrin.h>

#include "kernels/product_kernels.h"

namespace qslaw::cpu {
namespace {

using Sums = __m512;
using Codes = __m512i;
constexpr int64_t kSumLanes = 16;

inline Sums no_sum() {
  return _mm512_setzero_ps();
}
inline Sums multiply(Sums a, Sums b) {
  return _mm512_mul_ps(a, b);
}
inline Sums add_product(Sums a, Sums b, Sums sum) {
  return _mm512_fmadd_ps(a, b, sum);
}
inline Sums subtract_product(Sums a, Sums b, Sums sum) {
  return _mm512_fnmadd_ps(a, b, sum);
}

inline __mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : (1 << count) - 1);
}
// The first `count` values, zeros behind them.
inline Sums load_first(const float* from, int64_t count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), from);
}
inline Sums load_first_integers(const int16_t* from, int64_t count) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(first_lanes(count), from)));
}

inline float fold_sum(Sums v) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

// Which of a chunk's groups a lane belongs to.
struct LaneGroups {
  LaneGroups(int64_t lane_columns, int64_t group_size) {
    alignas(64) int32_t group[16];
    for (int64_t lane = 0; lane < 16; ++lane)
      group[lane] = static_cast<int32_t>(lane * lane_columns / group_size);
    of_lane = _mm512_load_si512(group);
    loaded = first_lanes(group[15] + 1);
  }
  __m512i of_lane;
  __mmask16 loaded;
};

// Scales of a chunk's lanes; `left` groups are left in the row.
inline Sums load_scales(const LaneGroups& groups, const float* scale, int64_t left) {
  const __mmask16 mask = left >= 16 ? groups.loaded : groups.loaded & first_lanes(left);
  return _mm512_permutexvar_ps(groups.of_lane, _mm512_maskz_loadu_ps(mask, scale));
}

// Up to a chunk of codes; rows are whole numbers of 4 bytes.
template <int kBits>
inline __m512i load_chunk(const uint8_t* from, int64_t bytes) {
  constexpr int64_t kBytes = kBits == 3 ? 48 : 64;
  return _mm512_maskz_loadu_epi32(first_lanes((bytes >= kBytes ? kBytes : bytes) / 4), from);
}

// 48 bytes to four times 12, at the beginning of each 128 bits.
inline __m512i spread_by_12(__m512i bytes) {
  const __m512i source = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  return _mm512_permutexvar_epi32(source, bytes);
}

}  // namespace
}  // namespace qslaw::cpu
