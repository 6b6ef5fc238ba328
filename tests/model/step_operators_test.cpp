// The decoder's training operators against the separate operators they stand for.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "core/random.h"
#include "kernels/dropout.h"
#include "model/lora.h"
#include "model/random_tensor.h"
#include "model_fixture.h"

using namespace qslaw;

namespace {

// LoRA in separate operators through autograd, with the same mask.
at::Tensor composed_lora(const at::Tensor& x, const at::Tensor& weight_NK, const at::Tensor& a_RK,
                         const at::Tensor& b_NR, double scaling, const at::Tensor& mask) {
  const at::Tensor input = mask.defined() ? x * mask : x;
  const at::Tensor low = at::linear(input, a_RK.to(x.scalar_type()));
  return at::linear(x, weight_NK) + at::linear(low, b_NR.to(x.scalar_type())) * scaling;
}

}  // namespace

TEST_CASE("LoRA in place agrees with separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kDouble);
  const auto [B, T, K, N, R] = GENERATE(std::tuple{2, 9, 24, 40, 4}, std::tuple{1, 1, 7, 5, 3});
  const double dropout = GENERATE(0.0, 0.4);
  INFO("dtype " << dtype << ", inputs " << K << ", dropout " << dropout);
  const LinearSpec spec{"model.layers.0.mlp.up_proj", 0, N, K};
  auto key = std::make_shared<DropoutKey>();
  key->seed = 7;
  const at::Tensor weight_NK = random_normal({N, K}, 0.5, 1).to(dtype);
  LoraLinear layer(std::make_unique<DenseLinear>(weight_NK), spec, {R, 1.5 * R, dropout}, key, 2, at::kCPU);
  layer.b_NR().copy_(random_normal({N, R}, 1.0, 3));
  const at::Tensor start = random_normal({B, T, K}, 1.0, 4).to(dtype),
                   dY = random_normal({B, T, N}, 1.0, 5).to(dtype);
  at::Tensor mask;
  if (dropout > 0) mask = qslaw::dropout(at::ones_like(start), dropout, mix_seed(7, hash_text(spec.name)));
  const auto run = [&](bool composed) {
    at::Tensor x = start.clone().requires_grad_(true);
    for (at::Tensor* factor : {&layer.a_RK(), &layer.b_NR()})
      *factor = factor->detach().clone().requires_grad_(true);
    const at::Tensor y =
        composed ? composed_lora(x, weight_NK, layer.a_RK(), layer.b_NR(), 1.5, mask) : layer.forward(x);
    torch::autograd::backward({y}, {dY});
    return std::vector<at::Tensor>{y.detach(), x.grad(), layer.a_RK().grad(), layer.b_NR().grad()};
  };
  const auto fused = run(false), composed = run(true);
  // The sum is rounded once here, three times there.
  const double limit = dtype == at::kDouble ? 1e-12 : (dtype == at::kFloat ? 4e-6 : 0x1p-6);
  for (size_t i = 0; i < fused.size(); ++i) {
    INFO("result " << i);
    CHECK(fused[i].scalar_type() == composed[i].scalar_type());
    // A and B are float32: in double their gradients are rounded to it.
    CHECK(relative_error(fused[i], composed[i]) < std::max(limit, i > 1 ? 1e-6 : 0.0));
  }
  const auto again = run(false);
  for (size_t i = 0; i < fused.size(); ++i)
    CHECK(at::equal(fused[i], again[i]));
}

TEST_CASE("a linear's input gradient is what autograd finds") {
  const DenseLinear linear(random_normal({6, 4}, 1.0, 1));
  const at::Tensor x = random_normal({2, 3, 4}, 1.0, 2).requires_grad_(true),
                   dY = random_normal({2, 3, 6}, 1.0, 3);
  torch::autograd::backward({linear.forward(x)}, {dY});
  CHECK(relative_error(linear.input_gradient(dY), x.grad()) < 1e-6);
}

TEST_CASE("token losses are those of the whole logits") {
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  const TokenLosses losses = token_losses(model, batch);
  const at::Tensor log_p = at::log_softmax(all_logits(model, batch), -1);
  int64_t i = 0;
  for (int64_t b = 0; b < batch.labels_BT.size(0); ++b) {
    for (int64_t t = 1; t < batch.labels_BT.size(1); ++t) {
      const auto label = batch.labels_BT[b][t].item<int64_t>();
      if (label == kIgnoreLabel) continue;
      REQUIRE(i < losses.nll_M.numel());
      CHECK(losses.rows_M[i].item<int64_t>() == b);
      CHECK(losses.nll_M[i].item<float>() == Approx(-log_p[b][t - 1][label].item<float>()).epsilon(1e-5));
      ++i;
    }
  }
  CHECK(i == losses.nll_M.numel());
}
