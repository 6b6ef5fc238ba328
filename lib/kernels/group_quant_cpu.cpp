#include "kernels/group_quant_cpu.h"

#include <limits>

#include "kernels/quant_math.h"

namespace qslaw::cpu {

void group_extremes(const float* w, int64_t n, float& high, float& low) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float largest = -kInfinity, smallest = kInfinity;
  for (int64_t i = 0; i < n; ++i) {
    largest = w[i] > largest ? w[i] : largest;
    smallest = w[i] < smallest ? w[i] : smallest;
  }
  high = positive_zero(largest);
  low = positive_zero(smallest);
}

void range_grids(const float* high, const float* low, int64_t n, int bits, float* scale, int16_t* zero) {
  const auto top = static_cast<float>((1 << bits) - 1);
  for (int64_t i = 0; i < n; ++i) {
    const float step = group_scale(low[i], high[i], top);
    scale[i] = step;
    zero[i] = static_cast<int16_t>(group_zero(low[i], step));
  }
}

void group_codes(const float* w, int64_t n, const Group& group, uint8_t* codes) {
  const Group g = group;
  for (int64_t i = 0; i < n; ++i) {
    codes[i] = static_cast<uint8_t>(static_cast<int>(clamp_code(grid_position(w[i], g.step, g.zero), g.top)));
  }
}

void group_fake_quantize(const float* w, int64_t n, const Group& group, float* out) {
  const Group g = group;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = code_value(clamp_code(grid_position(w[i], g.step, g.zero), g.top), g.scale, g.zero);
  }
}

void group_dequantize(const uint8_t* codes, int64_t n, const Group& group, float* out) {
  const Group g = group;
  for (int64_t i = 0; i < n; ++i)
    out[i] = code_value(static_cast<float>(codes[i]), g.scale, g.zero);
}

void group_lookup(const uint8_t* codes, int64_t n, const float* table, float absmax, float* out) {
  for (int64_t i = 0; i < n; ++i)
    out[i] = table[codes[i]] * absmax;
}

float group_gamma_gradient(const float* w, const float* gradient, int64_t n, const Group& group) {
  constexpr int kLanes = 16;
  const Group g = group;
  float sums[kLanes] = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float position = grid_position(w[i + lane], g.step, g.zero);
      sums[lane] += gamma_term(w[i + lane], position, g.top, gradient[i + lane]);
    }
  }
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane)
      sums[lane] += sums[lane + width];
  }
  return -sums[0] / (g.gamma * g.gamma);
}

void pack_row(const uint8_t* codes, int64_t n, int bits, uint8_t* packed) {
  // Eight codes fill `bits` whole bytes.
  for (int64_t i = 0; i < n; i += 8, packed += bits) {
    uint64_t word = 0;
    for (int j = 0; j < 8; ++j)
      word |= static_cast<uint64_t>(codes[i + j]) << (j * bits);
    for (int byte = 0; byte < bits; ++byte)
      packed[byte] = static_cast<uint8_t>(word >> (8 * byte));
  }
}

void unpack_row(const uint8_t* packed, int64_t n, int bits, uint8_t* codes) {
  const auto mask = static_cast<uint64_t>((1 << bits) - 1);
  for (int64_t i = 0; i < n; i += 8, packed += bits) {
    uint64_t word = 0;
    for (int byte = 0; byte < bits; ++byte)
      word |= static_cast<uint64_t>(packed[byte]) << (8 * byte);
    for (int j = 0; j < 8; ++j)
      codes[i + j] = static_cast<uint8_t>((word >> (j * bits)) & mask);
  }
}

}  // namespace qslaw::cpu
