// Products of float32 activations with packed codes in AVX2 with FMA.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/product_kernels.h"

namespace qslaw::cpu {
namespace {

using Sums = __m256;
using Value = __m256;
using Codes = __m256i;
constexpr int64_t kSumLanes = 8, kXBytes = 4;
constexpr int kMaxTokens = 4, kRowsOfMany = 2;

// Lanes of a chunk, shifted by multiples of a code's bits.
template <int kBits>
struct Format {
  static constexpr int kSteps = kBits == 2 ? 16 : kBits == 8 ? 4 : 8, kXSteps = kSteps;
  static constexpr int64_t kUnit = 8;
};

inline Sums no_sum() {
  return _mm256_setzero_ps();
}
inline Sums multiply(Sums a, Sums b) {
  return _mm256_mul_ps(a, b);
}
inline Sums add_product(Sums a, Sums b, Sums sum) {
  return _mm256_fmadd_ps(a, b, sum);
}
inline Sums subtract_product(Sums a, Sums b, Sums sum) {
  return _mm256_fnmadd_ps(a, b, sum);
}

inline __m256i first_lanes(int64_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count > 8 ? 8 : count)), lane);
}
// The first `count` values, zeros behind them.
inline Sums load_first(const float* from, int64_t count) {
  return _mm256_maskload_ps(from, first_lanes(count));
}
inline Sums load_first_integers(const int16_t* from, int64_t count) {
  int16_t copy[8] = {};
  for (int64_t i = 0; i < (count > 8 ? 8 : count); ++i)
    copy[i] = from[i];
  return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(copy))));
}

inline float fold_sum(Sums v) {
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

// Which of a chunk's groups a lane belongs to.
struct LaneGroups {
  LaneGroups(int64_t lane_columns, int64_t group_size) {
    alignas(32) int32_t group[8];
    for (int64_t lane = 0; lane < 8; ++lane)
      group[lane] = static_cast<int32_t>(lane * lane_columns / group_size);
    of_lane = _mm256_load_si256(reinterpret_cast<const __m256i*>(group));
    count = group[7] + 1;
    loaded = first_lanes(count);
  }
  __m256i of_lane, loaded;
  int64_t count;
};

// Scales of a chunk's lanes; `left` groups are left in the row.
inline Sums load_scales(const LaneGroups& groups, const float* scale, int64_t left) {
  if (groups.count == 1) return _mm256_broadcast_ss(scale);
  const __m256i mask = left >= groups.count ? groups.loaded : first_lanes(left);
  return _mm256_permutevar8x32_ps(_mm256_maskload_ps(scale, mask), groups.of_lane);
}

// A lookup takes the lowest 3 bits of a lane and, of 4 bits, another to choose between two halves; what
// stands above a code does not matter, as the table repeats itself.
template <int kBits, bool kTable>
struct Tables {
  static constexpr int kParts = 1;
  explicit Tables(const float* levels) {
    alignas(32) float values[16];
    for (int i = 0; i < 16; ++i) {
      const int code = i & ((1 << kBits) - 1);
      values[i] = kTable ? levels[code] : static_cast<float>(code);
    }
    low = _mm256_load_ps(values);
    high = _mm256_load_ps(values + 8);
  }
  __m256 low, high;
};

template <int kBits>
inline Codes load_codes(const uint8_t* from, int64_t bytes) {
  constexpr int64_t kBytes = kBits == 3 ? 24 : 32;
  const auto* words = reinterpret_cast<const int*>(from);
  const __m256i chunk =
      kBits != 3 && bytes >= kBytes
          ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))
          : _mm256_maskload_epi32(words, first_lanes((bytes >= kBytes ? kBytes : bytes) / 4));
  if constexpr (kBits != 3) return chunk;
  const __m256i spread = _mm256_permutevar8x32_epi32(chunk, _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5));
  const __m128i in_lane = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  return _mm256_shuffle_epi8(spread, _mm256_broadcastsi128_si256(in_lane));
}

template <int kBits>
inline Codes shift_codes(Codes codes, int step) {
  return step == 0 ? codes : _mm256_srli_epi32(codes, kBits * step);
}

template <int kBits, bool kTable>
inline Value value_of(const Tables<kBits, kTable>& tables, Codes shifted, int, int) {
  if constexpr (kBits <= 3) return _mm256_permutevar8x32_ps(tables.low, shifted);
  if constexpr (!kTable)
    return _mm256_cvtepi32_ps(_mm256_and_si256(shifted, _mm256_set1_epi32((1 << kBits) - 1)));
  const __m256 low = _mm256_permutevar8x32_ps(tables.low, shifted);
  const __m256 high = _mm256_permutevar8x32_ps(tables.high, shifted);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(shifted, 28)));
}

inline Value load_input(const char* x) {
  return _mm256_loadu_ps(reinterpret_cast<const float*>(x));
}
inline Sums multiply_add(Value value, Value x, Sums sum) {
  return _mm256_fmadd_ps(value, x, sum);
}

}  // namespace
}  // namespace qslaw::cpu

#include "kernels/product_body.h"

namespace qslaw::cpu {

void avx2_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                  int64_t begin, int64_t end) {
  if (weight.table) return multiply<true>(weight, input, out, begin, end);
  multiply<false>(weight, input, out, begin, end);
}

}  // namespace qslaw::cpu
#endif
