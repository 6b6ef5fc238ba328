// The one definition of the activation quantizer's arithmetic, for CPU and CUDA alike: float32, IEEE
// division, round half to even, no contraction. Source: docs/method.md, "Activations".
#pragma once
#include "kernels/quant_math.h"

namespace qslaw {

/// Narrowest range that is told apart from a constant: absolute, and relative to its ends. The second keeps
/// scale * low below 2^31, so that a constant of any size has a finite scale and zero point.
inline constexpr float kMinWidth = 1e-5F;
inline constexpr float kMinRelativeWidth = 0x1p-22F;
inline constexpr float kMaxWidth = 3.4028234664e38F;

/// Scale and zero point of a range: code = round(scale * x - zero), x = (code + zero) / scale.
struct ActivationStep {
  float scale, zero;
};

QSLAW_HOST_DEVICE float larger_magnitude(float low, float high) {
  const float a = low < 0.0F ? -low : low, b = high < 0.0F ? -high : high;
  return a > b ? a : b;
}

/// Asymmetric: the codes -2^(bits-1) .. 2^(bits-1) - 1 reach from low to high.
QSLAW_HOST_DEVICE ActivationStep asymmetric_step(float low, float high, int bits) {
  const float half = static_cast<float>(1 << (bits - 1)), top = 2.0F * half - 1.0F;
  const float relative = larger_magnitude(low, high) * kMinRelativeWidth;
  const float floor = relative > kMinWidth ? relative : kMinWidth;
  const float scale = top / clamp_float(high - low, floor, kMaxWidth);
  return {scale, rintf(scale * low) + half};
}

/// Symmetric: zero is a code's value, and +-(2^(bits-1) - 1) reach to the larger magnitude.
QSLAW_HOST_DEVICE ActivationStep symmetric_step(float low, float high, int bits) {
  const float top = static_cast<float>((1 << (bits - 1)) - 1);
  return {top / clamp_float(larger_magnitude(low, high), kMinWidth, kMaxWidth), 0.0F};
}

QSLAW_HOST_DEVICE float activation_code(float x, ActivationStep step, int bits) {
  const float half = static_cast<float>(1 << (bits - 1));
  return clamp_float(rintf(step.scale * x - step.zero), -half, half - 1.0F);
}

QSLAW_HOST_DEVICE float activation_value(float code, ActivationStep step) {
  return (code + step.zero) / step.scale;
}

}  // namespace qslaw
