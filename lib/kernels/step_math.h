// The arithmetic of a training step's operators on single values, for CPU and CUDA alike. `round` rounds to
// the element type where separate operators would (Rounding<T> in float_rows.h and cuda/elements.cuh).
#pragma once
#include "kernels/exp_math.h"

namespace qslaw {

/// silu(gate) * up.
template <typename Round>
QSLAW_HOST_DEVICE float swiglu_value(float gate, float up, const Round& round) {
  return round(gate / (1.0F + exp_float(-gate))) * up;
}

struct SwigluGradients {
  float gate, up;
};

template <typename Round>
QSLAW_HOST_DEVICE SwigluGradients swiglu_gradients(float gate, float up, float gradient, const Round& round) {
  const float s = sigmoid_float(gate);
  const float dsilu = round(gradient * up);
  return {dsilu * s * (1.0F + gate * (1.0F - s)), gradient * round(gate * s)};
}

struct Pair {
  float first, second;
};

/// (a, b) turned by the angle whose cosine and sine are given.
template <typename Round>
QSLAW_HOST_DEVICE Pair turned(float a, float b, float cos, float sin, const Round& round) {
  return {round(a * cos) - round(b * sin), round(b * cos) + round(a * sin)};
}

/// 1 / rms of n values from the sum of their squares.
QSLAW_HOST_DEVICE float rms_inverse(float squares, int64_t n, float eps) {
  return 1.0F / sqrtf(squares / static_cast<float>(n) + eps);
}

template <typename Round>
QSLAW_HOST_DEVICE float rms_value(float x, float weight, float inverse_rms, const Round& round) {
  return weight * round(x * inverse_rms);
}

// With u = x * inverse_rms and g = dy * weight: dx = inverse_rms * (g - u * mean(g * u)).

/// What x is multiplied by there, from the sum of g * x over the row.
QSLAW_HOST_DEVICE float rms_along(float products, float inverse_rms, int64_t n) {
  return products * inverse_rms * inverse_rms * inverse_rms / static_cast<float>(n);
}

template <typename Round>
QSLAW_HOST_DEVICE float rms_gradient(float x, float weight, float dy, float inverse_rms, float along,
                                     const Round& round) {
  return round(dy * weight) * inverse_rms - x * along;
}

/// A row's part of the weight's gradient.
template <typename Round>
QSLAW_HOST_DEVICE float rms_weight_term(float x, float dy, float inverse_rms, const Round& round) {
  return dy * round(x * inverse_rms);
}

}  // namespace qslaw
