#include "quant/normal_float.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace qslaw {
namespace {

// bitsandbytes' published constants (float32 values of the quantile construction with offset 0.9677083).
constexpr float kNf4[] = {-1.0F,
                          -0.6961928009986877F,
                          -0.5250730514526367F,
                          -0.39491748809814453F,
                          -0.28444138169288635F,
                          -0.18477343022823334F,
                          -0.09105003625154495F,
                          0.0F,
                          0.07958029955625534F,
                          0.16093020141124725F,
                          0.24611230194568634F,
                          0.33791524171829224F,
                          0.44070982933044434F,
                          0.5626170039176941F,
                          0.7229568362236023F,
                          1.0F};
// The same construction for n = 8 and n = 4 levels: n/2 + 1 positive and n/2 negative quantiles of the normal
// distribution between 1/2 and 1 - (1/(2(n-1)) + 1/(2n)) / 2, zero counted once, scaled to a maximum of 1.
constexpr float kNf3[] = {-1.0F,
                          -0.5350227355957031F,
                          -0.24693143367767334F,
                          0.0F,
                          0.1833374798297882F,
                          0.38199394941329956F,
                          0.6229857206344604F,
                          1.0F};
constexpr float kNf2[] = {-1.0F, 0.0F, 0.4358181655406952F, 1.0F};

// Index of the nearest of the ascending `levels`; the boundary between two is their midpoint.
uint8_t nearest_level(const std::vector<float>& midpoints, float value) {
  return static_cast<uint8_t>(std::upper_bound(midpoints.begin(), midpoints.end(), value) -
                              midpoints.begin());
}

std::vector<float> midpoints_of(const at::Tensor& levels) {
  const float* data = levels.const_data_ptr<float>();
  std::vector<float> midpoints;
  for (int64_t i = 1; i < levels.numel(); ++i)
    midpoints.push_back((data[i - 1] + data[i]) * 0.5F);
  return midpoints;
}

// Codes of one block relative to its largest magnitude, which is returned. An all-zero block keeps the code
// of 0.
float quantize_block(const float* values, int64_t count, const std::vector<float>& midpoints,
                     uint8_t* codes) {
  float absmax = 0.0F;
  for (int64_t i = 0; i < count; ++i)
    absmax = std::max(absmax, std::fabs(values[i]));
  const float inverse = absmax > 0.0F ? 1.0F / absmax : 0.0F;
  for (int64_t i = 0; i < count; ++i)
    codes[i] = nearest_level(midpoints, values[i] * inverse);
  return absmax;
}

at::Tensor make_dynamic_map() {
  // Seven exponents; exponent i has 2^i fractions spread between 0.1 and 1, taken at the middle of their
  // intervals.
  std::vector<float> values = {0.0F, 1.0F};
  for (int exponent = 0; exponent < 7; ++exponent) {
    const at::Tensor bounds = at::linspace(0.1, 1.0, (1 << exponent) + 1, at::kFloat);
    const at::Tensor means = (bounds.slice(0, 0, -1) + bounds.slice(0, 1)) / 2.0;
    for (int64_t i = 0; i < means.numel(); ++i) {
      const double magnitude = std::pow(10.0, exponent - 6) * means[i].item<float>();
      values.push_back(static_cast<float>(magnitude));
      values.push_back(static_cast<float>(-magnitude));
    }
  }
  std::sort(values.begin(), values.end());
  QSLAW_CHECK(values.size() == 256);
  return at::tensor(at::ArrayRef<float>(values));
}

}  // namespace

at::Tensor normal_float_table(int bits) {
  if (bits == 4) return at::tensor(at::ArrayRef<float>(kNf4));
  if (bits == 3) return at::tensor(at::ArrayRef<float>(kNf3));
  if (bits == 2) return at::tensor(at::ArrayRef<float>(kNf2));
  fail("quantize", "expected nf4 with bits 2, 3 or 4, got ", bits);
}

const at::Tensor& dynamic_map() {
  static const at::Tensor map = make_dynamic_map();
  return map;
}

NormalFloatCodes normal_float_quantize(const at::Tensor& weight_NK, int bits) {
  const at::Tensor wide = weight_NK.to(at::kFloat).contiguous();
  const auto midpoints = midpoints_of(normal_float_table(bits));
  NormalFloatCodes out{at::empty(wide.sizes(), at::kByte),
                       at::empty({wide.size(0), wide.size(1) / kNormalFloatBlock}, at::kFloat)};
  for (int64_t block = 0; block < out.absmax.numel(); ++block) {
    const int64_t at = block * kNormalFloatBlock;
    out.absmax.data_ptr<float>()[block] = quantize_block(wide.const_data_ptr<float>() + at, kNormalFloatBlock,
                                                         midpoints, out.codes_NK.data_ptr<uint8_t>() + at);
  }
  return out;
}

AbsmaxCodes quantize_absmax(const at::Tensor& absmax) {
  const at::Tensor offset = absmax.mean().reshape({1});
  const at::Tensor centered = (absmax - offset).contiguous();
  const int64_t count = centered.numel();
  const auto midpoints = midpoints_of(dynamic_map());
  AbsmaxCodes out{at::empty(absmax.sizes(), at::kByte),
                  at::empty({(count + kAbsmaxBlock - 1) / kAbsmaxBlock}, at::kFloat), offset, dynamic_map()};
  for (int64_t block = 0; block < out.nested_absmax.numel(); ++block) {
    const int64_t at = block * kAbsmaxBlock;
    out.nested_absmax.data_ptr<float>()[block] =
        quantize_block(centered.const_data_ptr<float>() + at, std::min(kAbsmaxBlock, count - at), midpoints,
                       out.codes.data_ptr<uint8_t>() + at);
  }
  return out;
}

}  // namespace qslaw
