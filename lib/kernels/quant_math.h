// The one definition of the quantizer's arithmetic, for CPU and CUDA alike: float32, IEEE division, round
// half to even. Source: docs/method.md, "Quantizer"; bit equality between devices rests on this file alone.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define QSLAW_HOST_DEVICE __host__ __device__ __forceinline__
#else
// A helper of loops that are compiled once per instruction set has to become part of each copy (clones.h).
#define QSLAW_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace qslaw {

/// Bounds of OmniQuant's step and zero point.
inline constexpr float kMinScale = 1e-5F;
inline constexpr float kMaxScale = 1e4F;
inline constexpr float kMaxZero = 1e4F;

QSLAW_HOST_DEVICE float clamp_float(float value, float low, float high) {
  return value < low ? low : (value > high ? high : value);
}

/// -0 as 0, all else as it is: which of equal zeros comes first depends on the order of a comparison.
QSLAW_HOST_DEVICE float positive_zero(float value) {
  return value + 0.0F;
}

/// Step of a group whose (clipped) range is [low, high]; top is 2^bits - 1.
QSLAW_HOST_DEVICE float group_scale(float low, float high, float top) {
  return clamp_float((high - low) / top, kMinScale, kMaxScale);
}

/// Zero point: rounded, not limited to the codes' range (a group of one sign puts it outside).
QSLAW_HOST_DEVICE float group_zero(float low, float scale) {
  return rintf(clamp_float(-low / scale, -kMaxZero, kMaxZero));
}

/// Position on the grid before clamping: c = round(w / (scale * gamma)) + zero. The division is by the
/// product, in this order: a reciprocal would differ by one code near ties.
QSLAW_HOST_DEVICE float grid_position(float w, float step, float zero) {
  return rintf(w / step) + zero;
}

/// Code of a position: clamped to 0..top.
QSLAW_HOST_DEVICE float clamp_code(float position, float top) {
  return clamp_float(position, 0.0F, top);
}

/// Value of a code.
QSLAW_HOST_DEVICE float code_value(float code, float scale, float zero) {
  return (code - zero) * scale;
}

/// The boundary between two levels of a table.
QSLAW_HOST_DEVICE float level_midpoint(float below, float above) {
  return (below + above) * 0.5F;
}

/// What the values of a block are multiplied by before they are compared with boundaries.
QSLAW_HOST_DEVICE float level_factor(float absmax) {
  return absmax > 0.0F ? 1.0F / absmax : 0.0F;
}

/// 1 where a value is not below a boundary, else 0.
QSLAW_HOST_DEVICE int passes_midpoint(float value, float midpoint) {
  return value < midpoint ? 0 : 1;
}

/// Blocks whose absmax share a maximum, by which their 8-bit codes are scaled.
inline constexpr int64_t kAbsmaxBlock = 256;

/// Codes of blocks' absmax (absmax_codes.h): the first block is number `first` of all.
struct AbsmaxView {
  const uint8_t* codes;
  const float* nested;
  const float* offset;  // one
  const float* map;     // 256 values
  int64_t first;
};

/// A block's absmax from its code's value in the map and its maximum: two roundings, as in bitsandbytes.
QSLAW_HOST_DEVICE float block_absmax(float value, float nested, float offset) {
  return value * nested + offset;
}

QSLAW_HOST_DEVICE float absmax_at(const AbsmaxView& absmax, int64_t block) {
  const int64_t at = absmax.first + block;
  return block_absmax(absmax.map[absmax.codes[at]], absmax.nested[at / kAbsmaxBlock], *absmax.offset);
}

/// One term of dL/dgamma (times -1/gamma^2): the straight-through gradient passes where the rounded position
/// is inside.
QSLAW_HOST_DEVICE float gamma_term(float w, float position, float top, float gradient) {
  return position >= 0.0F && position <= top ? gradient * w : 0.0F;
}

}  // namespace qslaw
