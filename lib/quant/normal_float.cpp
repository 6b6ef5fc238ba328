#include "quant/normal_float.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "kernels/level_codes.h"

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
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1);
  QSLAW_CHECK(K % kNormalFloatBlock == 0);
  const LevelCodes found = level_codes(
      weight_NK.contiguous(), normal_float_table(bits).to(weight_NK.device()), bits, kNormalFloatBlock);
  return {found.codes.view({N, K * bits / 8}), found.absmax.view({N, K / kNormalFloatBlock})};
}

AbsmaxCodes quantize_absmax(const at::Tensor& absmax) {
  const at::Tensor offset = absmax.mean().reshape({1});
  const LevelCodes found = level_codes((absmax - offset).contiguous(), dynamic_map(), 8, kAbsmaxBlock);
  return {found.codes.view(absmax.sizes()), found.absmax, offset, dynamic_map()};
}

}  // namespace qslaw
