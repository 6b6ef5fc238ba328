// What the tests of a training step's operators share: gradients of a function, and how far bits may differ.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

namespace qslaw {

using Tensors = std::vector<at::Tensor>;
using Operator = std::function<at::Tensor(const Tensors&)>;

/// An operator's value and its gradients for the incoming gradient `dY`.
struct Outcome {
  at::Tensor y;
  Tensors gradients;  // undefined for inputs that are not differentiable
};

inline Outcome run_operator(const Operator& fn, const Tensors& inputs, const at::Tensor& dY) {
  Tensors leaves;
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.is_floating_point() ? input.detach().clone().requires_grad_(true) : input);
  const at::Tensor y = fn(leaves);
  torch::autograd::backward({y}, {dY});
  Outcome outcome{y.detach(), {}};
  for (const at::Tensor& leaf : leaves)
    outcome.gradients.push_back(leaf.grad());
  return outcome;
}

/// Relative size of the dtype's last bit.
inline double last_bit(at::ScalarType dtype) {
  return dtype == at::kFloat ? 0x1p-23 : (dtype == at::kHalf ? 0x1p-10 : 0x1p-7);
}

/// Largest difference relative to the largest expected value.
inline double distance(const at::Tensor& actual, const at::Tensor& expected) {
  if (expected.numel() == 0) return 0.0;
  const at::Tensor wide = expected.to(at::kDouble);
  const double difference = (actual.to(at::kDouble) - wide).abs().max().item<double>();
  return difference / std::max(wide.abs().max().item<double>(), 1e-30);
}

/// Each output and gradient of `actual` within `bits` last bits of the largest expected one.
inline void require_close(const Outcome& actual, const Outcome& expected, double bits) {
  const double limit = bits * last_bit(expected.y.scalar_type());
  REQUIRE(actual.y.sizes() == expected.y.sizes());
  REQUIRE(actual.y.scalar_type() == expected.y.scalar_type());
  CHECK(distance(actual.y, expected.y) <= limit);
  for (size_t i = 0; i < expected.gradients.size(); ++i) {
    INFO("gradient " << i);
    REQUIRE(actual.gradients[i].defined() == expected.gradients[i].defined());
    if (!expected.gradients[i].defined()) continue;
    CHECK(actual.gradients[i].scalar_type() == expected.gradients[i].scalar_type());
    CHECK(distance(actual.gradients[i], expected.gradients[i]) <= limit);
  }
}

inline void require_same_bits(const Outcome& a, const Outcome& b) {
  CHECK(at::equal(a.y, b.y));
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    INFO("gradient " << i);
    if (a.gradients[i].defined()) CHECK(at::equal(a.gradients[i], b.gradients[i]));
  }
}

/// Twice with two threads, once with one: the same bits.
inline void require_reproducible(const Operator& fn, const Tensors& inputs, const at::Tensor& dY) {
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  const Outcome first = run_operator(fn, inputs, dY);
  require_same_bits(run_operator(fn, inputs, dY), first);
  at::set_num_threads(1);
  require_same_bits(run_operator(fn, inputs, dY), first);
  at::set_num_threads(threads);
}

/// The gradients against central differences of sum(fn * dY) in float32 with the given step: the curve's
/// third derivative leaves step^2, float32 sums leave 1e-7 * |sum| / step.
inline void require_central_differences(const Operator& fn, const Tensors& inputs, const at::Tensor& dY,
                                        float step, double tolerance) {
  const Outcome outcome = run_operator(fn, inputs, dY);
  const auto value = [&](const Tensors& at) {
    return (fn(at).to(at::kDouble) * dY.to(at::kDouble)).sum().item<double>();
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].is_floating_point()) continue;
    for (int64_t j = 0; j < inputs[i].numel(); ++j) {
      Tensors moved = inputs;
      const auto at_offset = [&](float offset) {
        moved[i] = inputs[i].clone();
        moved[i].view(-1)[j] += offset;
        return value(moved);
      };
      const double numeric = (at_offset(step) - at_offset(-step)) / (2.0 * step);
      INFO("input " << i << ", value " << j);
      CHECK(outcome.gradients[i].view(-1)[j].item<double>() ==
            Approx(numeric).epsilon(tolerance).margin(tolerance));
    }
  }
}

}  // namespace qslaw
