// How codes become operands of the matrix units for batched_product.cuh: an octet of a row's piece gives a
// lane four registers of two weights, and eight values of x four registers in the same order.
#pragma once
#include "product_job.cuh"
#if defined(__CUDACC__)
#include "tensor_core.cuh"
#endif

namespace qslaw::device {

/// Weights in full: (code - zero) * scale or level * scale with the bits that code_value of quant_math.h
/// gives, then rounded to T, as dequantizing does it. Codes that the decoder leaves in place are too large by
/// a power of two, and so is the zero point that is taken from them; scale is too small by it. 3.5
/// instructions per weight.
template <int kBits, bool kTable, typename T>
struct ScaledWeights {
  Decoder<kBits, kTable> decoder;
  float base[4], factor[4];

  __device__ __forceinline__ ScaledWeights(const float* levels, float scale, float zero) : decoder{levels} {
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      base[i] = fmaf(zero, Decoder<kBits, kTable>::code_factor(i), kRaised);
      factor[i] = scale * Decoder<kBits, kTable>::x_factor(i);
    }
  }
  __device__ __forceinline__ float weight(uint32_t quad, int i) const {
    if constexpr (kTable) return decoder.value(quad, i) * factor[i];
    return (decoder.raised(quad, i) - base[i]) * factor[i];
  }
  /// Neighbors side by side.
  __device__ __forceinline__ void unpack(const uint32_t (&words)[kBits], int octet,
                                         uint32_t (&pairs)[4]) const {
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint32_t quad = quad_of<kBits>(words, 2 * octet + i / 2);
      pairs[i] = pack_pair<T>(weight(quad, i % 2 * 2), weight(quad, i % 2 * 2 + 1));
    }
  }
  __device__ __forceinline__ static void arrange(const uint32_t (&x)[4], uint32_t (&pairs)[4]) {
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i)
      pairs[i] = x[i];
  }
};

/// code - zero alone, in two instructions per pair and some shifts; the scale is applied to a group's sums in
/// float32. Exact in T where both it and 128 + zero (bfloat16; float16: 1024 + zero) are at most 256 (2048)
/// in size; beyond, where only groups that are far from zero against their width come, it has two errors of
/// half of T's last bit, as weights have one that are dequantized in T. Codes stay where they are in a half,
/// as long as the mantissa is wide enough, and are read as that of a power of two.
template <int kBits, typename T>
struct CodeWeights {
  static_assert(kBits < 8);  // 256 + a code of 8 bits is no bfloat16
  static constexpr bool kWide = std::is_same_v<T, __half>;
  static constexpr uint32_t kMask = ((1U << kBits) - 1U) * 0x00010001U;
  static constexpr uint32_t kExponents = kWide ? 0x64006400U : 0x43004300U;
  static constexpr float kPower = kWide ? 1024.0F : 128.0F;
  static constexpr int kInPlace = (kWide ? 10 : 7) / kBits < 4 ? (kWide ? 10 : 7) / kBits : 4;  // codes
  uint32_t base[kInPlace];

  __device__ __forceinline__ CodeWeights(const float*, float, float zero) {
    QSLAW_UNROLL
    for (int i = 0; i < kInPlace; ++i) {
      const float value = -(kPower * factor(i) + zero);
      base[i] = pack_pair<T>(value, value);
    }
  }
  __device__ __forceinline__ static float factor(int i) {
    return 1.0F / static_cast<float>(1U << (kBits * i));
  }
  /// The first four beside the second four.
  __device__ __forceinline__ void unpack(const uint32_t (&words)[kBits], int octet,
                                         uint32_t (&pairs)[4]) const {
    uint32_t quads = 0;  // the lower bits of either half
    if constexpr (kBits == 4) {
      quads = words[octet];
    } else {
      quads = __byte_perm(quad_of<kBits>(words, 2 * octet), quad_of<kBits>(words, 2 * octet + 1), 0x5410U);
    }
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int place = i % kInPlace;
      const uint32_t raised =
          mask_and_set(quads >> (kBits * (i - place)), kMask << (kBits * place), kExponents);
      pairs[i] = multiply_add_pair<T>(raised, pack_pair<T>(factor(place), factor(place)), base[place]);
    }
  }
  __device__ __forceinline__ static void arrange(const uint32_t (&x)[4], uint32_t (&pairs)[4]) {
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      // The lower halves of both, or the upper ones.
      pairs[i] = __byte_perm(x[i / 2], x[i / 2 + 2], i % 2 == 0 ? 0x5410U : 0x7632U);
    }
  }
};

}  // namespace qslaw::device
