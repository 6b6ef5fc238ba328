// What a part of the model that runs again knows.
#include "model/checkpointing.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>
#include <stdexcept>
#include <vector>

using namespace qslaw;

TEST_CASE("only the second run of a checkpointed part is followed by its backward pass") {
  std::vector<bool> forward, backward;
  const at::Tensor x = at::ones({3}).requires_grad_(true);
  const auto part = [&](const at::Tensor& input) {
    forward.push_back(BackwardFollows::here());
    at::Tensor y = input * 2.0;
    if (y.requires_grad())
      y.register_hook([&](const at::Tensor&) { backward.push_back(BackwardFollows::here()); });
    return y;
  };
  const at::Tensor y = run_checkpointed(part, x);
  CHECK(forward == std::vector<bool>{false});
  torch::autograd::backward({y}, {at::ones({3})});
  CHECK(forward == std::vector<bool>{false, true});
  CHECK(backward == std::vector<bool>{false});
  CHECK_FALSE(BackwardFollows::here());
  CHECK(at::equal(x.grad(), at::full({3}, 2.0)));
}

TEST_CASE("a part that ends with an error leaves nothing behind") {
  const at::Tensor x = at::ones({3}).requires_grad_(true);
  int runs = 0;
  const auto part = [&](const at::Tensor& input) {
    if (++runs == 2) throw std::runtime_error("the second run");
    return input * 2.0;
  };
  const at::Tensor y = run_checkpointed(part, x);
  CHECK_THROWS(torch::autograd::backward({y}, {at::ones({3})}));
  CHECK_FALSE(BackwardFollows::here());
}
