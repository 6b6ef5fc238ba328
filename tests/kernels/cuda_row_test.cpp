// The device code of operators with sums over rows or blocks, run on the CPU and compared with the CPU
// functions: within roundings where the order of a sum is another, otherwise bit for bit.
#include "device_launch.h"
#include "kernels/adamw_int8.h"
#include "kernels/cross_entropy.h"
#include "kernels/rms_norm.h"
#include "quant_case.h"
#include "step_case.h"

#include "../../cuda/adamw_int8.cuh"
#include "../../cuda/cross_entropy.cuh"
#include "../../cuda/rms_norm.cuh"

using namespace qslaw;

namespace {

constexpr int64_t kRowBlock = 64;  // as in lib/kernels/rms_norm.cpp

struct Normalized {
  at::Tensor y, dX, dWeight;
};

Normalized device_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& dY, float eps) {
  const int64_t M = x.size(0), D = x.size(1), slabs = (M + kRowBlock - 1) / kRowBlock;
  Normalized out{at::full_like(x, 7), at::full_like(x, 7), at::full({D}, 7.0F)};
  at::Tensor inverse_rms = at::full({M}, 7.0F), parts = at::full({slabs, D}, 7.0F);
  const float* inverse = inverse_rms.const_data_ptr<float>();
  REQUIRE(device::rms_norm(device_input(x), device_input(weight), {M, D}, eps, device_output(out.y),
                           inverse_rms.data_ptr<float>(), nullptr) == nullptr);
  REQUIRE(device::rms_norm_gradient(device_input(x), device_input(weight), device_input(dY), {M, D}, inverse,
                                    device_output(out.dX), nullptr) == nullptr);
  REQUIRE(device::rms_norm_weight_gradient(device_input(x), device_input(dY), {M, D}, inverse, kRowBlock,
                                           parts.data_ptr<float>(), out.dWeight.data_ptr<float>(),
                                           nullptr) == nullptr);
  return out;
}

// Losses of the logits, which scale * their gradients replace when scale is defined.
at::Tensor device_loss(at::Tensor& logits, const at::Tensor& targets, const at::Tensor& scale) {
  at::Tensor nll = at::full({logits.size(0)}, 7.0F);
  REQUIRE(device::token_loss(device_output(logits), targets.const_data_ptr<int64_t>(),
                             {logits.size(0), logits.size(1)},
                             scale.defined() ? scale.const_data_ptr<float>() : nullptr, nll.data_ptr<float>(),
                             nullptr) == nullptr);
  return nll;
}

AdamWStep step_of(int t) {
  AdamWStep step{};
  step.beta1 = 0.9F, step.beta2 = 0.999F;
  step.decay = 0.99F, step.eps = 1e-8F;
  step.rate = static_cast<float>(0.1 / (1.0 - std::pow(0.9, t)));
  step.root = static_cast<float>(std::sqrt(1.0 - std::pow(0.999, t)));
  step.random = static_cast<uint32_t>(t) * 2654435761U;
  return step;
}

void device_adamw(at::Tensor& parameter, const at::Tensor& gradient, Int8Moments& moments,
                  const AdamWStep& step) {
  REQUIRE(device::adamw_int8(parameter.data_ptr<float>(), gradient.const_data_ptr<float>(), parameter.numel(),
                             step, moments.first.data_ptr<int8_t>(), moments.first_maximum.data_ptr<float>(),
                             moments.second.data_ptr<uint8_t>(), moments.second_maximum.data_ptr<float>(),
                             nullptr) == nullptr);
}

}  // namespace

TEST_CASE("device RMS norm and its gradients agree with the CPU's") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto shape =
      GENERATE(std::vector<int64_t>{3, 64}, std::vector<int64_t>{1, 7}, std::vector<int64_t>{2, 2500},
               std::vector<int64_t>{129, 8}, std::vector<int64_t>{0, 16}, std::vector<int64_t>{70, 3});
  INFO("dtype " << dtype << ", shape " << at::IntArrayRef(shape));
  at::manual_seed(1);
  const at::Tensor x = (at::randn(shape) * 3.0).to(dtype), weight = at::randn({shape[1]}).to(dtype),
                   dY = at::randn(shape).to(dtype);
  const Operator fused = [](const Tensors& in) { return rms_norm(in[0], in[1], 1e-5); };
  const Outcome expected = run_operator(fused, {x, weight}, dY);
  const Normalized first = device_norm(x, weight, dY, 1e-5F), second = device_norm(x, weight, dY, 1e-5F);
  // Another order of a sum of up to 2500 terms: some float32 roundings, which may carry a narrow value over
  // one of its own.
  require_close({first.y, {first.dX}}, {expected.y, {expected.gradients[0]}},
                dtype == at::kFloat ? 8.0 : 1.0);
  CHECK(distance(first.dWeight, expected.gradients[1]) <=
        (dtype == at::kFloat ? 16.0 : 2.0) * last_bit(dtype));
  CHECK(equal_bits(first.y, second.y));
  CHECK(equal_bits(first.dX, second.dX));
  CHECK(equal_bits(first.dWeight, second.dWeight));
}

TEST_CASE("device sums and their RMS norm in one kernel have the bits of the two operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto shape =
      GENERATE(std::vector<int64_t>{3, 64}, std::vector<int64_t>{1, 7}, std::vector<int64_t>{2, 2500},
               std::vector<int64_t>{1, 4096}, std::vector<int64_t>{0, 16}, std::vector<int64_t>{70, 3});
  INFO("dtype " << dtype << ", shape " << at::IntArrayRef(shape));
  at::manual_seed(1);
  // A norm of the sum before it is rounded would have other bits.
  const at::Tensor x = (at::randn(shape) * 3.0).to(dtype), delta = at::randn(shape).to(dtype),
                   weight = at::randn({shape[1]}).to(dtype);
  const at::Tensor expected_sum = x + delta, expected_norm = device_norm(expected_sum, weight, x, 1e-5F).y;
  for (int run = 0; run < 2; ++run) {
    at::Tensor sum = at::full_like(x, 7), norm = at::full_like(x, 7);
    REQUIRE(device::add_rms_norm(device_input(x), device_input(delta), device_input(weight),
                                 {shape[0], shape[1]}, 1e-5F, device_output(sum), device_output(norm),
                                 nullptr) == nullptr);
    CHECK(equal_bits(sum, expected_sum));
    CHECK(equal_bits(norm, expected_norm));
    // The CPU's order of the sum, as above.
    CHECK(distance(norm, add_rms_norm(x, delta, weight, 1e-5).norm) <=
          (dtype == at::kFloat ? 8.0 : 1.0) * last_bit(dtype));
  }
}

TEST_CASE("device cross-entropy agrees with LibTorch's in double precision") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [M, V] = GENERATE(std::tuple{3, 5000}, std::tuple{2, 1001}, std::tuple{1, 1}, std::tuple{5, 16},
                               std::tuple{0, 8});
  INFO("dtype " << dtype << ", " << M << " x " << V);
  at::manual_seed(1);
  const at::Tensor logits = (at::randn({M, V}) * 5.0).to(dtype), scale = at::randn({M});
  const at::Tensor targets = at::randint(0, V, {M}, at::kLong);
  const at::Tensor log_p = at::log_softmax(logits.to(at::kDouble), 1);
  const at::Tensor nll = log_p.gather(1, targets.unsqueeze(1)).squeeze(1).neg();
  const at::Tensor one_hot = at::zeros({M, V}, at::kDouble).scatter(1, targets.unsqueeze(1), 1.0);
  const at::Tensor gradient = (log_p.exp() - one_hot) * scale.to(at::kDouble).unsqueeze(1);
  at::Tensor kept = logits.clone(), first = logits.clone(), second = logits.clone();
  const at::Tensor loss = device_loss(kept, targets, {});
  CHECK(equal_bits(kept, logits));
  CHECK(equal_bits(device_loss(first, targets, scale), loss));
  CHECK(equal_bits(device_loss(second, targets, scale), loss));
  CHECK(equal_bits(first, second));
  // Float32 sums of up to 5000 terms by 512 threads, exp within two last bits; then one rounding to the
  // dtype.
  CHECK(distance(loss, nll) <= 16.0 * 0x1p-23);
  CHECK(distance(first, gradient) <= 16.0 * 0x1p-23 + (dtype == at::kFloat ? 0.0 : last_bit(dtype)));
}

TEST_CASE("device cross-entropy of extreme logits") {
  at::Tensor logits = at::tensor({1e4F, -1e4F, -1e4F, 1e4F, NAN, 0.0F}).view({3, 2});
  const at::Tensor loss = device_loss(logits, at::zeros({3}, at::kLong), at::ones({3}));
  CHECK(loss[0].item<float>() == 0.0F);
  CHECK(loss[1].item<float>() == 2e4F);
  CHECK(std::isnan(loss[2].item<float>()));
  CHECK(logits[1][0].item<float>() == -1.0F);
}

TEST_CASE("device rows are scaled as LibTorch scales them") {
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [M, D] : {std::pair<int64_t, int64_t>{5, 16}, {3, 7}, {1, 1}, {0, 8}}) {
      const at::Tensor x = at::randn({M, D}).to(dtype), scale = at::randn({M});
      at::Tensor out = at::full_like(x, 7);
      REQUIRE(device::scale_rows(device_input(x), scale.const_data_ptr<float>(), {M, D}, device_output(out),
                                 nullptr) == nullptr);
      REQUIRE(equal_bits(out, (x.to(at::kFloat) * scale.unsqueeze(1)).to(dtype)));
    }
  }
}

TEST_CASE("device AdamW with moments of 8 bits has the CPU's bits") {
  const auto shape =
      GENERATE(std::vector<int64_t>{256}, std::vector<int64_t>{3, 5}, std::vector<int64_t>{70, 31},
               std::vector<int64_t>{1}, std::vector<int64_t>{0, 4});
  INFO("shape " << at::IntArrayRef(shape));
  at::manual_seed(1);
  at::Tensor expected = at::randn(shape), actual = expected.clone();
  Int8Moments expected_moments = zero_moments(expected), moments = zero_moments(actual);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor gradient = at::randn(shape) * at::exp(at::randn(shape) * 3.0);
    adamw_int8_step(expected, gradient, expected_moments, step_of(t));
    device_adamw(actual, gradient, moments, step_of(t));
    REQUIRE(equal_bits(actual, expected));
    REQUIRE(equal_bits(moments.first, expected_moments.first));
    REQUIRE(equal_bits(moments.second, expected_moments.second));
    REQUIRE(equal_bits(moments.first_maximum, expected_moments.first_maximum));
    REQUIRE(equal_bits(moments.second_maximum, expected_moments.second_maximum));
  }
}
