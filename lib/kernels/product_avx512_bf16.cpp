// Products of bfloat16 activations with packed codes. Codes are exact in bfloat16 (8 bits as two halves of
// 4), so that the only roundings are those of the float32 sums; table levels are taken as a pair of bfloat16,
// with an error of at most 2^-17 of a level.
#if defined(__x86_64__)
#include "kernels/product_simd512.h"

namespace qslaw::cpu {
namespace {

using Value = __m512i;  // 32 bfloat16: two columns per lane of the sums
constexpr int64_t kXBytes = 2;
constexpr int kMaxTokens = 4, kRowsOfMany = 2;

// Words of a chunk, shifted by multiples of a code's bits. Of 8 bits both halves are looked up on their own
// and multiply the same x.
template <int kBits>
struct Format {
  static constexpr int kSteps = kBits == 2 ? 8 : 4;
  static constexpr int kXSteps = kBits == 8 ? 2 : kSteps;
  static constexpr int64_t kUnit = 32;
};

inline uint16_t truncated(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>(bits >> 16);
}
inline float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint16_t nearest(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Uniform codes: the code itself; of 8 bits its lower half at even steps and 16 times its upper half at odd
// ones. A lookup takes the lowest 5 bits of a word; what stands above a code does not matter, as the table
// repeats itself.
template <int kBits, bool kTable>
struct Tables {
  static constexpr int kParts = kTable ? 2 : 1;
  explicit Tables(const float* levels) {
    alignas(64) uint16_t first[32], second[32];
    for (int i = 0; i < 32; ++i) {
      const int code = i & ((kBits == 8 ? 16 : 1 << kBits) - 1);
      const float value = kTable ? levels[code] : static_cast<float>(code);
      first[i] = nearest(value);
      second[i] = kTable ? nearest(value - widened(first[i])) : truncated(16.0F * value);
    }
    table[0] = _mm512_load_si512(first);
    table[1] = _mm512_load_si512(second);
  }
  __m512i table[2];
};

template <int kBits>
inline Codes load_codes(const uint8_t* from, int64_t bytes) {
  if constexpr (kBits != 3) return load_chunk<kBits>(from, bytes);
  // Eight codes in three bytes: four begin in the first two of them, four in the last two, 4 bits further up.
  const __m512i in_lane =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11));
  const __m512i words = _mm512_shuffle_epi8(spread_by_12(load_chunk<3>(from, bytes)), in_lane);
  return _mm512_srlv_epi16(words, _mm512_set1_epi32(4 << 16));
}

template <int kBits>
inline Codes shift_codes(Codes codes, int step) {
  constexpr int kShift = kBits == 8 ? 4 : kBits;
  return step == 0 ? codes : _mm512_srli_epi16(codes, static_cast<unsigned>(kShift * step));
}

template <int kBits, bool kTable>
inline Value value_of(const Tables<kBits, kTable>& tables, Codes shifted, int step, int part) {
  const int which = kTable ? part : kBits == 8 ? step % 2 : 0;
  return _mm512_permutexvar_epi16(shifted, tables.table[which]);
}

inline Value load_input(const char* x) {
  return _mm512_loadu_si512(x);
}
inline Sums multiply_add(Value value, Value x, Sums sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(value), reinterpret_cast<__m512bh>(x));
}

}  // namespace
}  // namespace qslaw::cpu

#include "kernels/product_body.h"

namespace qslaw::cpu {

void avx512_bf16_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                         int64_t begin, int64_t end) {
  if (weight.table) return multiply<true>(weight, input, out, begin, end);
  multiply<false>(weight, input, out, begin, end);
}

}  // namespace qslaw::cpu
#endif
