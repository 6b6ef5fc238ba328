#include "kernels/adamw_int8_cpu.h"

#include <cmath>

#include "kernels/float_rows.h"

namespace qslaw::cpu {
namespace {

// Well-mixed bits of a number (Wellons' hash-prospector finalizer), as a fraction in [0, 1).
QSLAW_INLINE float random_fraction(uint32_t z) {
  z = (z ^ (z >> 16)) * 0x21F0AAADU;
  z = (z ^ (z >> 15)) * 0xD35A2D97U;
  z = z ^ (z >> 15);
  return static_cast<float>(static_cast<int32_t>(z >> 8)) * 0x1p-24F;
}

QSLAW_INLINE float fourth_power(float x) {
  return (x * x) * (x * x);
}

// Codes of |value| / maximum among levels (k / top)^4: of the two around it the upper one with the
// probability that keeps the mean.
QSLAW_INLINE void random_codes(const float* values, int64_t n, float maximum, float top, uint32_t seed,
                               float* codes) {
  const float unit = maximum > 0.0F ? maximum : 1.0F;
  for (int64_t i = 0; i < n; ++i) {
    const float share = std::fabs(values[i]) / unit;
    float below = static_cast<float>(static_cast<int32_t>(std::sqrt(std::sqrt(share)) * top));
    below = below > top - 1.0F ? top - 1.0F : below;
    const float low = fourth_power(below / top), high = fourth_power((below + 1.0F) / top);
    const float fraction = random_fraction(seed + 2U * static_cast<uint32_t>(i));
    codes[i] = below + (fraction * (high - low) < share - low ? 1.0F : 0.0F);
  }
}

}  // namespace

QSLAW_CLONES void adamw_int8_block(float* __restrict parameter, const float* __restrict gradient, int64_t n,
                                   uint32_t begin, const AdamWStep& step, int8_t* __restrict first,
                                   float& first_maximum, uint8_t* __restrict second, float& second_maximum) {
  if (n < 1 || n > kMomentBlock) return;
  const AdamWStep s = step;
  const float old_first = first_maximum, old_second = second_maximum;
  float m[kMomentBlock], v[kMomentBlock];
  for (int64_t i = 0; i < n; ++i) {
    const float code = static_cast<float>(first[i]);
    const float old = fourth_power(code / 127.0F) * old_first;
    m[i] = s.beta1 * (code < 0.0F ? -old : old) + (1.0F - s.beta1) * gradient[i];
    v[i] = s.beta2 * (fourth_power(static_cast<float>(second[i]) / 255.0F) * old_second) +
           (1.0F - s.beta2) * (gradient[i] * gradient[i]);
    parameter[i] = parameter[i] * s.decay - s.rate * (m[i] / (std::sqrt(v[i]) / s.root + s.eps));
  }
  first_maximum = lane_max(n, [&](int64_t i) { return std::fabs(m[i]); });
  second_maximum = lane_max(n, [&](int64_t i) { return v[i]; });
  float codes[kMomentBlock];
  random_codes(m, n, first_maximum, 127.0F, s.random + 2U * begin, codes);
  for (int64_t i = 0; i < n; ++i)
    first[i] = static_cast<int8_t>(static_cast<int32_t>(m[i] < 0.0F ? -codes[i] : codes[i]));
  random_codes(v, n, second_maximum, 255.0F, s.random + 2U * begin + 1U, codes);
  for (int64_t i = 0; i < n; ++i) {
    const float least = v[i] > 0.0F ? 1.0F : 0.0F;
    second[i] = static_cast<uint8_t>(static_cast<int32_t>(codes[i] < least ? least : codes[i]));
  }
}

}  // namespace qslaw::cpu
