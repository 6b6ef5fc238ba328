// How tests compare tensors, wherever these lie.
#pragma once
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <vector>

namespace qslaw {

inline double largest(const at::Tensor& tensor) {
  return tensor.abs().max().item<double>();
}

/// Largest difference relative to the largest expected value.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor wide = expected.detach().cpu().to(at::kDouble);
  return largest(actual.detach().cpu().to(at::kDouble) - wide) / largest(wide);
}

inline void require_same_bits(const std::vector<at::Tensor>& actual,
                              const std::vector<at::Tensor>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO("result " << i);
    CHECK(at::equal(actual[i], expected[i]));
  }
}

}  // namespace qslaw
