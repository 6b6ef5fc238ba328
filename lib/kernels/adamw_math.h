// The arithmetic of AdamW with moments of 8 bits (adamw_int8.h) on single values, for CPU and CUDA alike:
// float32, IEEE division and square root, no contraction.
#pragma once
#include <cstdint>

#include "kernels/quant_math.h"

namespace qslaw {

/// Values that share a maximum.
inline constexpr int64_t kMomentBlock = 256;

/// The largest codes.
inline constexpr float kFirstTop = 127.0F, kSecondTop = 255.0F;

/// The constants of one update.
struct AdamWStep {
  float beta1, beta2;
  float decay;  // 1 - lr * weight decay
  float rate;   // lr / (1 - beta1^t)
  float root;   // sqrt(1 - beta2^t)
  float eps;
  uint32_t random;  // seed of this update's rounding
};

QSLAW_HOST_DEVICE float fourth_power(float x) {
  return (x * x) * (x * x);
}

/// New moments from the codes of the old ones, their maxima and the gradient.
QSLAW_HOST_DEVICE float next_first(float code, float maximum, float gradient, const AdamWStep& s) {
  const float old = fourth_power(code / kFirstTop) * maximum;
  return s.beta1 * (code < 0.0F ? -old : old) + (1.0F - s.beta1) * gradient;
}
QSLAW_HOST_DEVICE float next_second(float code, float maximum, float gradient, const AdamWStep& s) {
  return s.beta2 * (fourth_power(code / kSecondTop) * maximum) + (1.0F - s.beta2) * (gradient * gradient);
}

QSLAW_HOST_DEVICE float next_parameter(float parameter, float first, float second, const AdamWStep& s) {
  return parameter * s.decay - s.rate * (first / (sqrtf(second) / s.root + s.eps));
}

/// Well-mixed bits of a number (Wellons' hash-prospector finalizer), as a fraction in [0, 1).
QSLAW_HOST_DEVICE float random_fraction(uint32_t z) {
  z = (z ^ (z >> 16)) * 0x21F0AAADU;
  z = (z ^ (z >> 15)) * 0xD35A2D97U;
  z = z ^ (z >> 15);
  return static_cast<float>(static_cast<int32_t>(z >> 8)) * 0x1p-24F;
}

/// Code of magnitude / maximum among levels (k / top)^4: of the two around it the upper one with the
/// probability that keeps the mean.
QSLAW_HOST_DEVICE float random_code(float magnitude, float maximum, float top, uint32_t seed) {
  const float unit = maximum > 0.0F ? maximum : 1.0F;
  const float share = magnitude / unit;
  float below = static_cast<float>(static_cast<int32_t>(sqrtf(sqrtf(share)) * top));
  below = below > top - 1.0F ? top - 1.0F : below;
  const float low = fourth_power(below / top), high = fourth_power((below + 1.0F) / top);
  return below + (random_fraction(seed) * (high - low) < share - low ? 1.0F : 0.0F);
}

/// Code of a first moment, which keeps its sign, and of a second one, which above 0 never becomes 0; of value
/// number `index` of a tensor.
QSLAW_HOST_DEVICE float first_code(float first, float maximum, uint32_t index, const AdamWStep& s) {
  const float code = random_code(fabsf(first), maximum, kFirstTop, s.random + 2U * index);
  return first < 0.0F ? -code : code;
}
QSLAW_HOST_DEVICE float second_code(float second, float maximum, uint32_t index, const AdamWStep& s) {
  const float code = random_code(fabsf(second), maximum, kSecondTop, s.random + 2U * index + 1U);
  const float least = second > 0.0F ? 1.0F : 0.0F;
  return code < least ? least : code;
}

}  // namespace qslaw
