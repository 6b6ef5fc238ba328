// NormalFloat codes with double quantization, as bitsandbytes does them (QLoRA, arXiv 2305.14314, sections 3
// and B).
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/absmax_codes.h"

namespace qslaw {

/// The 2^bits levels in ascending order, float32. 4 bits: bitsandbytes' NF4 constants; 3 and 2 bits: the
/// paper's construction with fewer quantiles.
at::Tensor normal_float_table(int bits);

/// Block length of the codes.
inline constexpr int64_t kNormalFloatBlock = 64;

/// Packed codes, uint8 [N, K * bits / 8], and the absmax of each block of 64, float32 [N, K/64]. The weight:
/// float32, bfloat16 or float16, on either device; K a multiple of 64.
struct NormalFloatCodes {
  at::Tensor codes;
  at::Tensor absmax;
};
NormalFloatCodes normal_float_quantize(const at::Tensor& weight_NK, int bits);

/// Second quantization, of absmax minus its mean, with the map below in blocks of 256. CPU only: on all
/// devices one order of the mean's sum.
AbsmaxCodes quantize_absmax(const at::Tensor& absmax);

/// The signed dynamic 8-bit map: 256 ascending values (bitsandbytes' create_dynamic_map). One tensor for all.
const at::Tensor& dynamic_map();

}  // namespace qslaw
