// Linears of random weights made on the device: a model of full size needs no files and no time.
#pragma once
#include <ATen/ATen.h>

#include "quant/packed_linear.h"
#include "quant/scale_linear.h"

namespace qslaw::bench {

inline constexpr int64_t kGroupColumns = 128;

inline at::Tensor random_weight(int64_t rows, int64_t columns, at::Device device) {
  return at::randn({rows, columns}, at::TensorOptions(device).dtype(at::kBFloat16)).mul_(0.02);
}

inline std::shared_ptr<PackedWeight> random_packed(int64_t rows, int64_t columns, int bits,
                                                   at::Device device) {
  const at::Tensor weight = random_weight(rows, columns, device);
  auto packed = std::make_shared<PackedWeight>();
  packed->bits = bits;
  packed->group_size = kGroupColumns;
  packed->grid = grid_from_range(group_range(weight, kGroupColumns), bits);
  packed->codes = quantize_packed(weight, packed->grid, {}, bits);
  return packed;
}

}  // namespace qslaw::bench
