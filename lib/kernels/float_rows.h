// Building blocks of CPU loops over rows of float32, bfloat16 or float16: conversions and sums of a fixed
// order. All of it is arithmetic without branches, so that loops become vector code.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <bit>
#include <cstdint>

#include "core/clones.h"

namespace qslaw::cpu {

QSLAW_INLINE float widen(float value) {
  return value;
}

QSLAW_INLINE float widen(c10::BFloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.x) << 16);
}

QSLAW_INLINE float widen(c10::Half value) {
  return c10::detail::fp16_ieee_to_fp32_value(value.x);
}

QSLAW_INLINE void narrow(float value, float& out) {
  out = value;
}

/// To nearest, ties to even; NaN stays NaN. The same bits as c10's conversion.
QSLAW_INLINE void narrow(float value, c10::BFloat16& out) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  out.x = static_cast<uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? 0x7FC0U : rounded);
}

QSLAW_INLINE void narrow(float value, c10::Half& out) {
  out.x = c10::detail::fp16_ieee_from_fp32_value(value);
}

/// A value as T holds it.
template <typename T>
struct Rounding {
  QSLAW_INLINE float operator()(float value) const {
    T kept;
    narrow(value, kept);
    return widen(kept);
  }
};

inline constexpr int kLanes = 16;

/// term(0) + ... + term(n - 1) as 16 partial sums, added up in a fixed order.
template <typename Term>
QSLAW_INLINE float lane_sum(int64_t n, const Term& term) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane)
      sums[lane] += term(i + lane);
  }
  for (int lane = 0; i + lane < n; ++lane)
    sums[lane] += term(i + lane);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane)
      sums[lane] += sums[lane + width];
  }
  return sums[0];
}

/// The largest of term(0) .. term(n - 1); terms that are not a number are passed over. REQUIRES: n > 0.
template <typename Term>
QSLAW_INLINE float lane_max(int64_t n, const Term& term) {
  float largest[kLanes];
  const float first = term(0);
  for (float& value : largest)
    value = first;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float value = term(i + lane);
      largest[lane] = value > largest[lane] ? value : largest[lane];
    }
  }
  for (; i < n; ++i) {
    const float value = term(i);
    largest[0] = value > largest[0] ? value : largest[0];
  }
  for (int lane = 1; lane < kLanes; ++lane)
    largest[0] = largest[lane] > largest[0] ? largest[lane] : largest[0];
  return largest[0];
}

}  // namespace qslaw::cpu
