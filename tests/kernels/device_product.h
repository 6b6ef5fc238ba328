// The device code of packed products, run on the CPU.
#pragma once
#include <vector>

#include "device_launch.h"
#include "product_case.h"
#include "tensor_core_on_cpu.h"

#include "../../cuda/packed_product.cuh"

namespace qslaw {

inline CudaProduct device_product(const ProductCase& c, at::Tensor& y) {
  const int64_t K = c.x.size(1);
  CudaProduct product{};
  product.codes = c.codes.const_data_ptr<uint8_t>();
  if (c.table.defined()) {
    product.table = c.table.const_data_ptr<float>();
    product.absmax = view_of(c.absmax, c.codes);
  } else {
    product.scale = c.grid.scale.const_data_ptr<float>();
    product.zero = c.grid.zero.const_data_ptr<int16_t>();
  }
  product.shape = {c.codes.size(0), K, K / c.grid.scale.size(1), c.bits};
  product.y = device_output(y);
  return product;
}

// The first case's x times the weights of all of them, in one launch.
inline std::vector<at::Tensor> multiply_joined_on_device(const std::vector<ProductCase>& cases) {
  const at::Tensor& x = cases.front().x;
  std::vector<at::Tensor> results;
  std::vector<CudaProduct> products;
  for (const ProductCase& c : cases) {
    results.push_back(at::full({x.size(0), c.codes.size(0)}, 7, x.options()));
    products.push_back(device_product(c, results.back()));
  }
  REQUIRE(device::packed_product(products.data(), static_cast<int32_t>(products.size()), device_input(x),
                                 x.size(0), nullptr) == nullptr);
  REQUIRE(cuda_on_cpu::copies_left() == 0);
  return results;
}

inline at::Tensor multiply_on_device(const ProductCase& c) {
  return multiply_joined_on_device({c}).front();
}

}  // namespace qslaw
