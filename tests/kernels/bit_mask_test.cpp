#include "kernels/bit_mask.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("a mask in bits comes back as it was") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf, at::kDouble);
  const auto shape = GENERATE(std::vector<int64_t>{3, 5, 8}, std::vector<int64_t>{1, 7},
                              std::vector<int64_t>{700, 131}, std::vector<int64_t>{0, 4});
  INFO("dtype " << dtype << ", shape " << shape);
  at::manual_seed(1);
  const at::Tensor mask = (at::rand(shape) > 0.3).to(dtype).div_(0.7);
  const at::Tensor bits = compress_mask(mask);
  if (dtype != at::kDouble) CHECK(bits.nbytes() == static_cast<size_t>((mask.numel() + 7) / 8));
  CHECK(at::equal(expand_mask(bits, mask, 0.7), mask));
}
