// The one exponential function of the step's operators, for CPU and CUDA alike.
#pragma once
#include <cstdint>

#include "kernels/quant_math.h"

namespace qslaw {

/// e^x within 2 units in the last place; x is limited to -87.3 .. 88.3, NaN stays NaN. Range reduction by
/// multiples of ln 2 in two parts, then Cephes' polynomial (expf), evaluated in pairs: a short chain of
/// dependent operations is what makes it fast. All of it is arithmetic without branches, so that loops become
/// vector code.
QSLAW_HOST_DEVICE float exp_float(float x) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number in the low bits
  constexpr uint32_t kShiftBits = 0x4B400000U;
  x = x < -87.3F ? -87.3F : x;
  x = x > 88.3F ? 88.3F : x;
  const float shifted = x * 1.44269504F + kShift;
  const float whole = shifted - kShift;
  const float r = x - whole * 0.693359375F - whole * -2.12194440e-4F;
  const float square = r * r;
  const float low = 0.5F + 1.6666665459e-1F * r;
  const float middle = 4.1665795894e-2F + 8.3334519073e-3F * r;
  const float high = 1.3981999507e-3F + 1.9875691500e-4F * r;
  const float power = (1.0F + r) + square * (low + square * (middle + square * high));
  const uint32_t exponent = __builtin_bit_cast(uint32_t, shifted) - kShiftBits + 127U;
  return power * __builtin_bit_cast(float, exponent << 23);
}

QSLAW_HOST_DEVICE float sigmoid_float(float x) {
  return 1.0F / (1.0F + exp_float(-x));
}

}  // namespace qslaw
