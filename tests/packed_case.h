// Weights packed as tests need them: on their own range, and as NF4; a decoder of them.
#pragma once
#include <memory>

#include "kernels/packed_product.h"
#include "quant/normal_float.h"
#include "quant/packed_linear.h"
#include "seeded_decoder.h"

namespace qslaw {

inline PackedWeight pack(const at::Tensor& weight_NK, int bits, int64_t group_size) {
  PackedWeight packed;
  packed.bits = bits;
  packed.group_size = group_size;
  packed.grid = grid_from_range(group_range(weight_NK, group_size), bits);
  packed.codes = quantize_packed(weight_NK, packed.grid, {}, bits);
  return packed;
}

inline PackedWeight pack_nf4(const at::Tensor& weight_NK) {
  const NormalFloatCodes codes = normal_float_quantize(weight_NK, 4);
  PackedWeight packed;
  packed.kind = CodeKind::normal_float;
  packed.group_size = kNormalFloatBlock;
  packed.codes = codes.codes;
  packed.absmax = quantize_absmax(codes.absmax);
  packed.table = normal_float_table(4);
  return packed;
}

/// 4 bits in groups of 32.
inline MakeSeededLinear seeded_packed_linears(at::Device device) {
  return [device](const LinearSpec&, const at::Tensor& weight_NK) {
    return std::make_unique<PackedLinear>(std::make_shared<PackedWeight>(pack(weight_NK, 4, 32).to(device)));
  };
}

}  // namespace qslaw
