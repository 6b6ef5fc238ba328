// Products of float32 activations with packed codes.
#if defined(__x86_64__)
#include "kernels/product_simd512.h"

namespace qslaw::cpu {
namespace {

using Value = __m512;
constexpr int64_t kXBytes = 4;
constexpr int kMaxTokens = 4, kRowsOfMany = 2;

// Lanes of a chunk, shifted by multiples of a code's bits.
template <int kBits>
struct Format {
  static constexpr int kSteps = kBits == 2 ? 16 : kBits == 8 ? 4 : 8, kXSteps = kSteps;
  static constexpr int64_t kUnit = 16;
};

// A lookup takes the lowest 4 bits of a lane; what stands above a code does not matter, as the table repeats
// itself.
template <int kBits, bool kTable>
struct Tables {
  static constexpr int kParts = 1;
  explicit Tables(const float* levels) {
    alignas(64) float values[16];
    for (int i = 0; i < 16; ++i) {
      const int code = i & ((1 << kBits) - 1);
      values[i] = kTable ? levels[code] : static_cast<float>(code);
    }
    table = _mm512_load_ps(values);
  }
  __m512 table;
};

template <int kBits>
inline Codes load_codes(const uint8_t* from, int64_t bytes) {
  if constexpr (kBits != 3) return load_chunk<kBits>(from, bytes);
  const __m512i in_lane =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  return _mm512_shuffle_epi8(spread_by_12(load_chunk<3>(from, bytes)), in_lane);
}

template <int kBits>
inline Codes shift_codes(Codes codes, int step) {
  return step == 0 ? codes : _mm512_srli_epi32(codes, static_cast<unsigned>(kBits * step));
}

template <int kBits, bool kTable>
inline Value value_of(const Tables<kBits, kTable>& tables, Codes shifted, int, int) {
  if constexpr (kBits == 8) return _mm512_cvtepi32_ps(_mm512_and_si512(shifted, _mm512_set1_epi32(0xFF)));
  return _mm512_permutexvar_ps(shifted, tables.table);
}

inline Value load_input(const char* x) {
  return _mm512_loadu_ps(x);
}
inline Sums multiply_add(Value value, Value x, Sums sum) {
  return _mm512_fmadd_ps(value, x, sum);
}

}  // namespace
}  // namespace qslaw::cpu

#include "kernels/product_body.h"

namespace qslaw::cpu {

void avx512_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                    int64_t begin, int64_t end) {
  if (weight.table) return multiply<true>(weight, input, out, begin, end);
  multiply<false>(weight, input, out, begin, end);
}

}  // namespace qslaw::cpu
#endif
