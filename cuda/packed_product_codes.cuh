// Packed codes as packed_product.cuh reads them: in units of whole 16-byte loads, and as floats without
// shifts and conversions.
#pragma once
#include "elements.cuh"

namespace qslaw::device {

inline constexpr int kPiece = 32;  // columns that are `bits` words and lie in one group
inline constexpr int kProductThreads = 128;

template <int kBits>
struct ProductTile {
  static constexpr int kPieces = kBits == 2 ? 2 : kBits == 3 ? 4 : 1;  // of a unit: whole 16-byte loads
  static constexpr int kWords = kPieces * kBits;
  static constexpr int kRows = kBits == 2 ? 8 : kBits == 8 ? 2 : 4;
  static constexpr int kSetThreads = kBits == 2 ? 64 : kBits == 3 ? 32 : 128;
  static constexpr int kSets = kProductThreads / kSetThreads;
  static constexpr int kBlockRows = kSets * kRows;
};

struct alignas(16) FourWords {
  uint32_t words[4];
};

/// Bits from 4 * kBits * quad of a piece: four codes in the lowest bits (anything above them).
template <int kBits>
__device__ __forceinline__ uint32_t quad_of(const uint32_t* words, int quad) {
  const int bit = 4 * kBits * quad, word = bit / 32, shift = bit % 32;
  const uint32_t low = words[word] >> shift;
  return shift + 4 * kBits > 32 ? low | words[word + 1] << (32 - shift) : low;
}

/// (value & mask) | bits. nvcc takes two instructions for two constants, unless it is told the one.
__device__ __forceinline__ uint32_t mask_and_set(uint32_t value, uint32_t mask, uint32_t bits) {
#if defined(__CUDA_ARCH__)
  uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(result) : "r"(value), "r"(mask), "r"(bits));
  return result;
#else
  return (value & mask) | bits;
#endif
}

inline constexpr float kRaised = 8388608.0F;  // 2^23: where a float's last bit is 1

/// Codes as floats. Uniform ones of less than 8 bits stay where they are in a quad and are read as the
/// mantissa of 2^23 + code * 2^(bits * i), so the value comes with a factor of 2^(bits * i), code_factor,
/// that x_factor takes out of x. Both factors are powers of two: the products are exactly those of code and
/// x.
template <int kBits, bool kTable>
struct Decoder {
  static constexpr uint32_t kMask = (1U << kBits) - 1U;
  static constexpr bool kInPlace = !kTable && kBits < 8;

  __device__ __forceinline__ float value(uint32_t quad, int i) const {
    if constexpr (kTable) return levels[(quad >> (kBits * i)) & kMask];
    return raised(quad, i) - kRaised;
  }
  /// A uniform code's value, and 2^23.
  __device__ __forceinline__ static float raised(uint32_t quad, int i) {
    constexpr uint32_t kExponent = 0x4B000000U;  // of 2^23
    uint32_t code = 0;
    if constexpr (kInPlace) {
      code = mask_and_set(quad, kMask << (kBits * i), kExponent);
    } else if constexpr (kBits == 8) {
      code = __byte_perm(quad, kExponent, 0x7440U + static_cast<uint32_t>(i));
    } else {
      code = mask_and_set(quad >> (kBits * i), kMask, kExponent);
    }
    return __builtin_bit_cast(float, code);
  }
  __device__ __forceinline__ static float code_factor(int i) {
    return kInPlace ? static_cast<float>(1U << (kBits * i)) : 1.0F;
  }
  __device__ __forceinline__ static float x_factor(int i) { return 1.0F / code_factor(i); }
  const float* levels;
};

/// A row's unit; kWhole: of a row of whole units, otherwise zeros behind its last word.
template <int kBits, bool kWhole>
__device__ __forceinline__ void load_unit(const uint32_t* row, int64_t unit, int64_t row_words,
                                          uint32_t (&words)[ProductTile<kBits>::kWords]) {
  constexpr int kWords = ProductTile<kBits>::kWords;
  if constexpr (kWhole) {
    const FourWords* from = reinterpret_cast<const FourWords*>(row + unit * kWords);
    QSLAW_UNROLL
    for (int i = 0; i < kWords; ++i)
      words[i] = from[i / 4].words[i % 4];
  } else {
    QSLAW_UNROLL
    for (int i = 0; i < kWords; ++i) {
      const int64_t word = unit * kWords + i;
      words[i] = word < row_words ? row[word] : 0U;
    }
  }
}

}  // namespace qslaw::device
