// Sixteen floats, and 32 packed codes, in AVX-512. Included only by files compiled for it. Everything is in
// an unnamed namespace: a copy in another file can never stand in for it. Products and sums stay apart
// (-ffp-contract=off); fused ones are asked for by name.
#pragma once
#include <immintrin.h>

#include "kernels/row_kernels.h"

namespace qslaw::cpu {
namespace {

using Floats = __m512;
constexpr int64_t kLanes = 16;

inline Floats broadcast(float value) {
  return _mm512_set1_ps(value);
}

inline const char* byte_at(const void* base, int64_t offset) {
  return static_cast<const char*>(base) + offset;
}

template <Element kType>
inline Floats load(const void* base, int64_t i) {
  if constexpr (kType == Element::float32) return _mm512_loadu_ps(byte_at(base, i * 4));
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(byte_at(base, i * 2)));
  if constexpr (kType == Element::float16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

// Round to nearest even, as c10::BFloat16 does it: subnormals kept, one NaN.
inline __m256i bfloat16_of(Floats value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7FFF));
  const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  const __m512i words = _mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), nan, _mm512_set1_epi32(0x7FC0));
  return _mm512_cvtepi32_epi16(words);
}

template <Element kType>
inline __m256i half_of(Floats value) {
  if constexpr (kType == Element::bfloat16) return bfloat16_of(value);
  return _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

template <Element kType>
inline void store(void* base, int64_t i, Floats value) {
  char* to = static_cast<char*>(base) + i * (kType == Element::float32 ? 4 : 2);
  if constexpr (kType == Element::float32)
    _mm512_storeu_ps(to, value);
  else
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half_of<kType>(value));
}

inline Floats add(Floats a, Floats b) {
  return _mm512_add_ps(a, b);
}
inline Floats subtract(Floats a, Floats b) {
  return _mm512_sub_ps(a, b);
}
inline Floats multiply(Floats a, Floats b) {
  return _mm512_mul_ps(a, b);
}
inline Floats divide(Floats a, Floats b) {
  return _mm512_div_ps(a, b);
}
inline Floats round_even(Floats a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a > b ? a : b and a < b ? a : b, also for NaN and zeros of either sign.
inline Floats larger(Floats a, Floats b) {
  return _mm512_max_ps(a, b);
}
inline Floats smaller(Floats a, Floats b) {
  return _mm512_min_ps(a, b);
}
// value where low <= position <= high, else 0.
inline Floats where_inside(Floats position, Floats low, Floats high, Floats value) {
  const __mmask16 inside =
      _mm512_cmp_ps_mask(position, low, _CMP_GE_OQ) & _mm512_cmp_ps_mask(position, high, _CMP_LE_OQ);
  return _mm512_maskz_mov_ps(inside, value);
}

inline Floats from_bytes(const uint8_t* codes) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))));
}
// Low bytes of the values as integers; NaN gives 0.
inline void store_bytes(void* out, Floats values) {
  _mm_storeu_si128(static_cast<__m128i*>(out), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(values)));
}
inline Floats gather(const float* table, const uint8_t* codes) {
  return _mm512_i32gather_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))),
                             table, 4);
}

// Sums lanes i and i + 8, then i and i + 4, and so on: the order of group_gamma_gradient.
inline float fold_sum(Floats v) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline float fold_larger(Floats v) {
  return _mm512_reduce_max_ps(v);
}
inline float fold_smaller(Floats v) {
  return _mm512_reduce_min_ps(v);
}

// The values of codes 0..15; of fewer bits, repeated.
template <Element kOut>
struct Levels {
  explicit Levels(Floats values) {
    const __m256i half = half_of<kOut>(values);
    table = _mm512_broadcast_i64x4(half);
  }
  __m512i table;
};
template <>
struct Levels<Element::float32> {
  explicit Levels(Floats values) : table(values) {}
  Floats table;
};

// Spreads 32 codes of 2, 3 or 4 bits over 32 words, each in the lowest bits; higher bits are anything. A code
// lies within the two bytes that begin at bit k * bits / 8 * 8 of the stream.
struct Unpacker {
  explicit Unpacker(int bits) : bytes(static_cast<__mmask16>((1U << (4 * bits)) - 1)) {
    alignas(64) uint8_t source[64];
    alignas(64) uint16_t low[32];
    for (int k = 0; k < 32; ++k) {
      source[2 * k] = static_cast<uint8_t>(k * bits / 8);
      source[2 * k + 1] = static_cast<uint8_t>((k * bits / 8 + 1) & 15);
      low[k] = static_cast<uint16_t>(k * bits % 8);
    }
    shuffle = _mm512_load_si512(source);
    shift = _mm512_load_si512(low);
  }
  __m512i operator()(const uint8_t* codes) const {
    const __m512i stream = _mm512_broadcast_i32x4(_mm_maskz_loadu_epi8(bytes, codes));
    return _mm512_srlv_epi16(_mm512_shuffle_epi8(stream, shuffle), shift);
  }
  __mmask16 bytes;
  __m512i shuffle, shift;
};

// Stores the values of 32 packed codes. Lookups take no more than the lowest 4 or 5 bits of an index, and the
// tables repeat themselves over the bits above a code.
template <Element kOut>
inline void expand(const Unpacker& unpack, const Levels<kOut>& levels, const uint8_t* codes, void* out,
                   int64_t i) {
  const __m512i words = unpack(codes);
  if constexpr (kOut == Element::float32) {
    const __m512i first = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(words));
    const __m512i second = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(words, 1));
    store<kOut>(out, i, _mm512_permutexvar_ps(first, levels.table));
    store<kOut>(out, i + 16, _mm512_permutexvar_ps(second, levels.table));
  } else {
    _mm512_storeu_si512(static_cast<char*>(out) + 2 * i, _mm512_permutexvar_epi16(words, levels.table));
  }
}

}  // namespace
}  // namespace qslaw::cpu
