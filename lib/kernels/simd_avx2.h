// Sixteen floats, and 32 packed codes, in AVX2 (with FMA, F16C and BMI2): what simd_avx512.h offers, in two
// registers. Included only by files compiled for it; everything is in an unnamed namespace.
#pragma once
#include <immintrin.h>

#include "kernels/row_kernels.h"

namespace qslaw::cpu {
namespace {

struct Floats {
  __m256 a, b;
};
constexpr int64_t kLanes = 16;

inline Floats broadcast(float value) {
  return {_mm256_set1_ps(value), _mm256_set1_ps(value)};
}

inline const char* byte_at(const void* base, int64_t offset) {
  return static_cast<const char*>(base) + offset;
}
inline __m128i load16(const void* at) {
  return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

template <Element kType>
inline __m256 load8(const void* base, int64_t i) {
  if constexpr (kType == Element::float32)
    return _mm256_loadu_ps(reinterpret_cast<const float*>(byte_at(base, i * 4)));
  const __m128i half = load16(byte_at(base, i * 2));
  if constexpr (kType == Element::float16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

template <Element kType>
inline Floats load(const void* base, int64_t i) {
  return {load8<kType>(base, i), load8<kType>(base, i + 8)};
}

// Round to nearest even, as c10::BFloat16 does it: subnormals kept, one NaN. In the low half of each lane.
inline __m256i bfloat16_words(__m256 value) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7FFF));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_set1_epi32(0x7FC0), nan);
}

template <Element kType>
inline __m256i half_of(const Floats& v) {
  if constexpr (kType == Element::bfloat16) {
    const __m256i mixed = _mm256_packus_epi32(bfloat16_words(v.a), bfloat16_words(v.b));
    return _mm256_permute4x64_epi64(mixed, 0xD8);
  }
  constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return _mm256_set_m128i(_mm256_cvtps_ph(v.b, kRounding), _mm256_cvtps_ph(v.a, kRounding));
}

template <Element kType>
inline void store(void* base, int64_t i, const Floats& v) {
  char* to = static_cast<char*>(base) + i * (kType == Element::float32 ? 4 : 2);
  if constexpr (kType == Element::float32) {
    _mm256_storeu_ps(reinterpret_cast<float*>(to), v.a);
    _mm256_storeu_ps(reinterpret_cast<float*>(to + 32), v.b);
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half_of<kType>(v));
  }
}

inline Floats add(Floats x, Floats y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline Floats subtract(Floats x, Floats y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline Floats multiply(Floats x, Floats y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline Floats divide(Floats x, Floats y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
inline Floats round_even(Floats x) {
  constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kRounding), _mm256_round_ps(x.b, kRounding)};
}
// x > y ? x : y and x < y ? x : y, also for NaN and zeros of either sign.
inline Floats larger(Floats x, Floats y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
inline Floats smaller(Floats x, Floats y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}

inline __m256 where_inside8(__m256 position, __m256 low, __m256 high, __m256 value) {
  const __m256 inside =
      _mm256_and_ps(_mm256_cmp_ps(position, low, _CMP_GE_OQ), _mm256_cmp_ps(position, high, _CMP_LE_OQ));
  return _mm256_and_ps(inside, value);
}
// value where low <= position <= high, else 0.
inline Floats where_inside(Floats position, Floats low, Floats high, Floats value) {
  return {where_inside8(position.a, low.a, high.a, value.a),
          where_inside8(position.b, low.b, high.b, value.b)};
}

inline Floats from_bytes(const uint8_t* codes) {
  const __m128i bytes = load16(codes);
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}
// Low bytes of the values as integers; NaN gives 0. Masked before packing, which would saturate.
inline void store_bytes(void* out, Floats v) {
  const __m256i byte = _mm256_set1_epi32(0xFF);
  const __m256i a = _mm256_and_si256(_mm256_cvtps_epi32(v.a), byte),
                b = _mm256_and_si256(_mm256_cvtps_epi32(v.b), byte);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
  _mm_storeu_si128(static_cast<__m128i*>(out),
                   _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
inline Floats gather(const float* table, const uint8_t* codes) {
  const __m128i bytes = load16(codes);
  return {_mm256_i32gather_ps(table, _mm256_cvtepu8_epi32(bytes), 4),
          _mm256_i32gather_ps(table, _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)), 4)};
}

// Sums lanes i and i + 8, then i and i + 4, and so on: the order of group_gamma_gradient.
inline float fold_sum(Floats v) {
  const __m256 a = _mm256_add_ps(v.a, v.b);
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline float fold_larger(Floats v) {
  const __m256 a = _mm256_max_ps(v.a, v.b);
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
inline float fold_smaller(Floats v) {
  const __m256 a = _mm256_min_ps(v.a, v.b);
  const __m128 b = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_min_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_min_ss(c, _mm_movehdup_ps(c)));
}

// The values of codes 0..15; of fewer bits, repeated. Of 16-bit types rounded already, one in the low half of
// each lane.
template <Element kOut>
struct Levels {
  explicit Levels(Floats values) {
    const __m256i half = half_of<kOut>(values);
    table.a = _mm256_castsi256_ps(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(half)));
    table.b = _mm256_castsi256_ps(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(half, 1)));
  }
  Floats table;
};
template <>
struct Levels<Element::float32> {
  explicit Levels(Floats values) : table(values) {}
  Floats table;
};

// Spreads 32 codes of 2, 3 or 4 bits over four registers of 8 lanes, each in the lowest bits. A code lies
// within the two bytes that begin at bit k * bits / 8 * 8 of the stream.
struct Unpacker {
  explicit Unpacker(int code_bits) : bits(code_bits) {
    alignas(32) uint8_t source[32];
    alignas(32) uint32_t low[8];
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int lane = 0; lane < 8; ++lane) {
        const int bit = (8 * quarter + lane) * bits;
        source[4 * lane] = static_cast<uint8_t>(bit / 8);
        source[4 * lane + 1] = static_cast<uint8_t>((bit / 8 + 1) & 15);
        source[4 * lane + 2] = source[4 * lane + 3] = 0x80;
        low[lane] = static_cast<uint32_t>(bit % 8);
      }
      shuffle[quarter] = _mm256_load_si256(reinterpret_cast<const __m256i*>(source));
    }
    shift =
        _mm256_load_si256(reinterpret_cast<const __m256i*>(low));  // 8 codes fill whole bytes: one for all
  }
  __m256i load_stream(const uint8_t* codes) const {
    if (bits == 4) return _mm256_broadcastsi128_si256(load16(codes));
    __m128i stream = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
    if (bits == 3) {
      uint32_t rest;
      __builtin_memcpy(&rest, codes + 8, sizeof(rest));
      stream = _mm_insert_epi32(stream, static_cast<int>(rest), 2);
    }
    return _mm256_broadcastsi128_si256(stream);
  }
  __m256i quarter(__m256i stream, int index) const {
    return _mm256_srlv_epi32(_mm256_shuffle_epi8(stream, shuffle[index]), shift);
  }
  int bits;
  __m256i shuffle[4], shift;
};

// table[index & 15]
inline __m256 choose(const Floats& table, __m256i index) {
  const __m256 low = _mm256_permutevar8x32_ps(table.a, index),
               high = _mm256_permutevar8x32_ps(table.b, index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

// Stores 16 looked-up values, see Levels.
template <Element kOut>
inline void store_levels(void* out, int64_t i, Floats v) {
  if constexpr (kOut == Element::float32) return store<kOut>(out, i, v);
  const __m256i mixed = _mm256_packus_epi32(_mm256_castps_si256(v.a), _mm256_castps_si256(v.b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(static_cast<char*>(out) + 2 * i),
                      _mm256_permute4x64_epi64(mixed, 0xD8));
}

// Stores the values of 32 packed codes.
template <Element kOut>
inline void expand(const Unpacker& unpack, const Levels<kOut>& levels, const uint8_t* codes, void* out,
                   int64_t i) {
  const __m256i stream = unpack.load_stream(codes);
  for (int half = 0; half < 2; ++half) {
    const Floats values = {choose(levels.table, unpack.quarter(stream, 2 * half)),
                           choose(levels.table, unpack.quarter(stream, 2 * half + 1))};
    store_levels<kOut>(out, i + 16 * half, values);
  }
}

}  // namespace
}  // namespace qslaw::cpu
