// The device code of packed products, run on the CPU.
#pragma once
#include "device_launch.h"
#include "product_case.h"
#include "tensor_core_on_cpu.h"

#include "../../cuda/packed_product.cuh"

namespace qslaw {

inline at::Tensor multiply_on_device(const ProductCase& c) {
  const int64_t M = c.x.size(0), K = c.x.size(1), N = c.codes.size(0);
  at::Tensor y = at::full({M, N}, 7, c.x.options());
  CudaProduct product{c.codes.const_data_ptr<uint8_t>(), nullptr, nullptr, nullptr, {}};
  if (c.table.defined()) {
    product.table = c.table.const_data_ptr<float>();
    product.absmax = view_of(c.absmax, c.codes);
  } else {
    product.scale = c.grid.scale.const_data_ptr<float>();
    product.zero = c.grid.zero.const_data_ptr<int16_t>();
  }
  REQUIRE(device::packed_product(product, device_input(c.x), M, {N, K, K / c.grid.scale.size(1), c.bits},
                                 device_output(y), nullptr) == nullptr);
  REQUIRE(cuda_on_cpu::copies_left() == 0);
  return y;
}

}  // namespace qslaw
