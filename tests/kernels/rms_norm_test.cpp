#include "kernels/rms_norm.h"

#include "core/error.h"
#include "step_case.h"

using namespace qslaw;

namespace {

constexpr double kEps = 1e-5;

const Operator kFused = [](const Tensors& in) { return rms_norm(in[0], in[1], kEps); };
const Operator kComposed = [](const Tensors& in) { return rms_norm_reference(in[0], in[1], kEps); };

}  // namespace

TEST_CASE("RMS norm and its gradients agree with the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto weight_dtype = GENERATE(at::kFloat, at::kBFloat16);
  const auto shape =
      GENERATE(std::vector<int64_t>{2, 3, 64}, std::vector<int64_t>{1, 7}, std::vector<int64_t>{129, 33},
               std::vector<int64_t>{5, 1, 1000}, std::vector<int64_t>{0, 16}, std::vector<int64_t>{70, 3});
  INFO("dtype " << dtype << ", weight " << weight_dtype << ", shape " << shape);
  at::manual_seed(1);
  const Tensors inputs = {(at::randn(shape) * 3.0).to(dtype), at::randn({shape.back()}).to(weight_dtype)};
  const at::Tensor dY = at::randn(shape).to(dtype);
  const Outcome fused = run_operator(kFused, inputs, dY), composed = run_operator(kComposed, inputs, dY);
  CHECK(fused.gradients[1].scalar_type() == weight_dtype);
  // Another order of a sum of up to 1000 terms: some float32 roundings, which may carry a bfloat16 over one
  // of its own. The composed weight gradient of the narrow dtypes is itself summed over rounded products.
  require_close({fused.y, {fused.gradients[0]}}, {composed.y, {composed.gradients[0]}},
                dtype == at::kFloat ? 8.0 : 1.0);
  const double narrow = std::max(last_bit(dtype), last_bit(weight_dtype));
  CHECK(distance(fused.gradients[1], composed.gradients[1]) <= (narrow > 1e-6 ? 2.0 : 16.0) * narrow);
}

TEST_CASE("RMS norm: central differences, the same bits every time") {
  at::manual_seed(2);
  const Tensors inputs = {at::randn({3, 5}), at::randn({5})};
  require_central_differences(kFused, inputs, at::randn({3, 5}), 0x1p-7F, 1e-3);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  require_reproducible(kFused, {at::randn({300, 96}).to(dtype), at::randn({96})},
                       at::randn({300, 96}).to(dtype));
}

TEST_CASE("RMS norm computes only the gradients that are asked for") {
  const at::Tensor x = at::randn({4, 8}).requires_grad_(true), weight = at::randn({8});
  torch::autograd::backward({rms_norm(x, weight, kEps).sum()}, {});
  CHECK(x.grad().defined());
  CHECK_FALSE(weight.grad().defined());
  CHECK_FALSE(rms_norm(x.detach(), weight, kEps).requires_grad());
}

TEST_CASE("a sum and its RMS norm agree with the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf, at::kDouble);
  const auto shape =
      GENERATE(std::vector<int64_t>{3, 1, 64}, std::vector<int64_t>{1, 7}, std::vector<int64_t>{0, 16});
  INFO("dtype " << dtype << ", shape " << shape);
  at::manual_seed(3);
  const at::Tensor x = at::randn(shape).to(dtype), delta = at::randn(shape).to(dtype),
                   weight = at::randn({shape.back()});
  const auto [sum, norm] = add_rms_norm(x, delta, weight, kEps);
  CHECK(at::equal(sum, x + delta));
  CHECK(norm.scalar_type() == dtype);
  // As for rms_norm above; float64 takes the reference itself.
  const double bits = dtype == at::kDouble ? 0.0 : dtype == at::kFloat ? 8.0 : 1.0;
  CHECK(distance(norm, rms_norm_reference(x + delta, weight, kEps)) <= bits * last_bit(dtype));
}

TEST_CASE("a sum and its RMS norm want operands of one shape and dtype") {
  const at::Tensor x = at::randn({2, 8}), weight = at::randn({8});
  CHECK_THROWS_AS(add_rms_norm(x, at::randn({1, 8}), weight, kEps), InternalError);
  CHECK_THROWS_AS(add_rms_norm(x, x.to(at::kBFloat16), weight, kEps), InternalError);
  CHECK_THROWS_AS(add_rms_norm(x, x, at::randn({7}), kEps), InternalError);
}
