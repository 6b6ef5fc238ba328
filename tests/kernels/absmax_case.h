// Quantized absmax of table codes' blocks, and what they stand for.
#pragma once
#include <ATen/ATen.h>

#include "kernels/absmax_codes.h"

namespace qslaw {

// Random codes of N rows of `groups` blocks, and for each 256 of them a maximum of its own.
inline AbsmaxCodes random_absmax(int64_t N, int64_t groups, at::Generator generator) {
  const int64_t nested = (N * groups + 255) / 256;
  return {at::randint(0, 256, {N, groups}, generator).to(at::kByte),
          at::rand({nested}, generator) * 0.05 + 0.01, at::rand({1}, generator) * 0.1,
          at::linspace(-1, 1, 256).pow(3).contiguous()};
}

// absmax, float32 [N, K / G], by LibTorch's operations, each of which rounds once.
inline at::Tensor absmax_values(const AbsmaxCodes& absmax) {
  const at::Tensor values = absmax.map.index_select(0, absmax.codes.flatten().to(at::kInt));
  const at::Tensor spread = absmax.nested_absmax.repeat_interleave(256).narrow(0, 0, values.numel());
  return (values * spread + absmax.offset).view(absmax.codes.sizes());
}

// Codes of given values [N, K / G], no more than 256, which come back exactly: the map holds them.
inline AbsmaxCodes listed_absmax(const at::Tensor& values) {
  at::Tensor map = at::zeros({256});
  map.narrow(0, 0, values.numel()).copy_(values.flatten());
  return {at::arange(values.numel()).to(at::kByte).view(values.sizes()), at::ones({1}), at::zeros({1}), map};
}

}  // namespace qslaw
