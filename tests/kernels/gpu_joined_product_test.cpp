// Packed products that share a launch, on a GPU, where there is one. Elsewhere cuda_product_test.cpp runs
// their code.
#include "gpu_case.h"
#include "product_case.h"

using namespace qslaw;

namespace {

at::Tensor gpu(const at::Tensor& tensor) {
  return tensor.to(at::kCUDA);
}

PackedOperand gpu_operand(const ProductCase& c) {
  PackedOperand operand;
  operand.codes = gpu(c.codes);
  if (c.table.defined()) {
    operand.absmax = c.absmax.to(at::kCUDA);
    operand.table = gpu(c.table);
  } else {
    operand.grid = {gpu(c.grid.scale), gpu(c.grid.zero)};
  }
  return operand;
}

at::Tensor multiply_alone(const at::Tensor& x, const PackedOperand& weight, int bits) {
  return weight.table.defined() ? packed_table_product(x, weight.codes, weight.absmax, weight.table, bits)
                                : packed_product(x, weight.codes, weight.grid, bits);
}

}  // namespace

TEST_CASE("a GPU's joined products have the bits of each by itself", "[gpu][shared]") {
  if (!has_gpu()) return;
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t M : {0, 1, 2, 9, 33}) {
      INFO("tokens " << M);
      const at::Tensor x = gpu(make_product(M, 1, 8 * G, G, bits, dtype, table).x);
      std::vector<PackedOperand> weights;
      for (const int64_t N : {131, 64, 5, 200})  // the last in a launch of its own
        weights.push_back(gpu_operand(make_product(M, N, 8 * G, G, bits, dtype, table)));
      const std::vector<at::Tensor> joined = joined_products(x, weights, bits);
      REQUIRE(joined.size() == weights.size());
      for (size_t i = 0; i < weights.size(); ++i)
        REQUIRE(equal_bits(joined[i].cpu(), multiply_alone(x, weights[i], bits).cpu()));
    }
  });
}
