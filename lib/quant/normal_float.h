// NormalFloat codes with double quantization, as bitsandbytes does them (QLoRA, arXiv 2305.14314, sections 3
// and B).
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// The 2^bits levels in ascending order, float32. 4 bits: bitsandbytes' NF4 constants; 3 and 2 bits: the
/// paper's construction with fewer quantiles.
at::Tensor normal_float_table(int bits);
/// The same on a device, which need not have caught up.
at::Tensor normal_float_table(int bits, at::Device device);

/// Block length of the codes and of the absmax codes.
inline constexpr int64_t kNormalFloatBlock = 64;
inline constexpr int64_t kAbsmaxBlock = 256;

/// uint8 code per weight, [N, K], and the absmax of each block of 64, float32 [N, K/64].
struct NormalFloatCodes {
  at::Tensor codes_NK;
  at::Tensor absmax;
};
NormalFloatCodes normal_float_quantize(const at::Tensor& weight_NK, int bits);

/// Second quantization, of absmax minus its mean, with bitsandbytes' signed dynamic 8-bit map in blocks of
/// 256.
struct AbsmaxCodes {
  at::Tensor codes;          // uint8, absmax's shape
  at::Tensor nested_absmax;  // float32 [ceil(count / 256)]
  at::Tensor offset;         // float32 [1]
};
AbsmaxCodes quantize_absmax(const at::Tensor& absmax);
/// Of `codes`, a part of those that begins at the `first`-th value.
at::Tensor dequantize_absmax(const at::Tensor& codes, const at::Tensor& nested_absmax,
                             const at::Tensor& offset, int64_t first = 0);

/// The signed dynamic map: 256 ascending values (bitsandbytes' create_dynamic_map).
at::Tensor dynamic_map();

}  // namespace qslaw
