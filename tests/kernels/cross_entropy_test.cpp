#include "kernels/cross_entropy.h"

#include "core/error.h"
#include "step_case.h"

using namespace qslaw;

namespace {

// Few bytes: chunks of the smallest number of tokens there is (64).
const Operator kChunked = [](const Tensors& in) { return linear_cross_entropy(in[0], in[1], in[2], 1); };
const Operator kComposed = [](const Tensors& in) {
  return linear_cross_entropy_reference(in[0], in[1], in[2]);
};

// The head frozen: only the gradient of hidden.
Operator frozen_head(const Operator& fn, const at::Tensor& head_VD) {
  return [=](const Tensors& in) { return fn({in[0], head_VD, in[1]}); };
}

Tensors make_inputs(int64_t M, int64_t D, int64_t V, at::ScalarType dtype, at::ScalarType head_dtype) {
  return {at::randn({M, D}).to(dtype), (at::randn({V, D}) * 0.3).to(head_dtype),
          at::randint(0, V, {M}, at::kLong)};
}

}  // namespace

TEST_CASE("chunked cross-entropy agrees with the whole one") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf, at::kDouble);
  const auto [M, D, V] = GENERATE(std::tuple{200, 24, 1001}, std::tuple{1, 3, 2}, std::tuple{64, 16, 17},
                                  std::tuple{65, 8, 33}, std::tuple{0, 8, 9});
  const auto head_dtype = dtype == at::kDouble ? at::kDouble : GENERATE(at::kFloat, at::kBFloat16);
  INFO("dtype " << dtype << ", head " << head_dtype << ", " << M << " x " << D << " x " << V);
  at::manual_seed(1);
  const Tensors inputs = make_inputs(M, D, V, dtype, head_dtype);
  const auto wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor dNll_M = at::randn({M}, wide) / 64.0;
  const Outcome expected = run_operator(kComposed, inputs, dNll_M);
  const Outcome trained = run_operator(kChunked, inputs, dNll_M);
  const Outcome frozen = run_operator(frozen_head(kChunked, inputs[1]), {inputs[0], inputs[2]}, dNll_M);
  CHECK(trained.y.scalar_type() == wide);
  CHECK(at::equal(trained.y, frozen.y));
  // Losses: the same rounded logits, float32 sums of up to 1001 terms.
  CHECK(distance(trained.y, expected.y) <= 16.0 * 0x1p-23);
  // Gradients: rounded to the dtype once before the product; where the unit gradient is scaled after it
  // another rounding follows.
  const double limit = dtype == at::kDouble ? 1e-12 : (dtype == at::kFloat ? 32.0 : 2.0) * last_bit(dtype);
  CHECK(distance(trained.gradients[0], expected.gradients[0]) <= limit);
  CHECK(distance(frozen.gradients[0], expected.gradients[0]) <= limit);
  CHECK(distance(trained.gradients[1], expected.gradients[1]) <= std::max(limit, last_bit(head_dtype)));
  CHECK(trained.gradients[1].scalar_type() == head_dtype);
}

TEST_CASE("chunked cross-entropy: central differences, the same bits every time") {
  at::manual_seed(2);
  const Tensors small = make_inputs(4, 3, 5, at::kFloat, at::kFloat);
  require_central_differences(kChunked, small, at::randn({4}), 0x1p-6F, 1e-3);
  require_central_differences(frozen_head(kChunked, small[1]), {small[0], small[2]}, at::randn({4}), 0x1p-6F,
                              1e-3);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const Tensors large = make_inputs(150, 32, 515, dtype, at::kFloat);
  require_reproducible(kChunked, large, at::randn({150}));
  require_reproducible(frozen_head(kChunked, large[1]), {large[0], large[2]}, at::randn({150}));
}

TEST_CASE("cross-entropy of extreme logits, of none, and of a wrong target") {
  const at::Tensor hidden = at::tensor({1e4F, -1e4F, NAN}).unsqueeze(1),
                   head = at::tensor({1.0F, -1.0F}).unsqueeze(1);
  const at::Tensor nll = linear_cross_entropy(hidden, head, at::tensor({int64_t{0}, int64_t{0}, int64_t{1}}));
  CHECK(nll[0].item<float>() == 0.0F);
  CHECK(nll[1].item<float>() == 2e4F);
  CHECK(std::isnan(nll[2].item<float>()));  // the training loop looks for it
  CHECK_THROWS_AS(linear_cross_entropy(hidden, head, at::tensor({int64_t{0}, int64_t{2}, int64_t{0}})),
                  InternalError);
  CHECK_THROWS_AS(linear_cross_entropy(hidden, head, at::tensor({int64_t{0}, int64_t{0}, int64_t{-1}})),
                  InternalError);
  at::NoGradGuard no_grad;
  CHECK_FALSE(
      linear_cross_entropy(hidden.requires_grad_(true), head, at::zeros({3}, at::kLong)).requires_grad());
}
