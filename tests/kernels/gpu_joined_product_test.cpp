// Packed products that share a launch, on a GPU, where there is one. Elsewhere cuda_product_test.cpp runs
// their code.
#include "gpu_case.h"
#include "product_case.h"

using namespace qslaw;

TEST_CASE("a GPU's joined products have the bits of each by itself", "[gpu][shared]") {
  if (!has_gpu()) return;
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t M : {0, 1, 2, 9, 33}) {
      INFO("tokens " << M);
      const at::Tensor x = make_product(M, 1, 8 * G, G, bits, dtype, table).x.to(kGpu);
      std::vector<PackedOperand> weights;
      for (const int64_t N : {131, 64, 5, 200})  // the last in a launch of its own
        weights.push_back(operand_of(make_product(M, N, 8 * G, G, bits, dtype, table), kGpu));
      const std::vector<at::Tensor> joined = joined_products(x, weights, bits);
      REQUIRE(joined.size() == weights.size());
      for (size_t i = 0; i < weights.size(); ++i)
        REQUIRE(equal_bits(joined[i].cpu(), multiply(x, weights[i], bits).cpu()));
    }
  });
}
