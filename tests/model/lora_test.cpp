#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "model/checkpointing.h"
#include "model/lora.h"
#include "model/random_tensor.h"
#include "model_fixture.h"

using namespace qslaw;

namespace {

struct Adapted {
  Llava model;
  std::shared_ptr<DropoutKey> key = std::make_shared<DropoutKey>();
  std::vector<LoraLinear*> layers;
};

// The fixture with LoRA whose A and B are random, B nonzero.
Adapted adapted_model(const LoraOptions& options) {
  Adapted adapted;
  adapted.model = load_dense(source_of(model_fixture("gqa")));
  adapted.layers = attach_lora(adapted.model.language, options, adapted.key, 5, at::kCPU);
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < adapted.layers.size(); ++i) {
    adapted.layers[i]->b_NR().copy_(random_normal(adapted.layers[i]->b_NR().sizes().vec(), 0.1, 100 + i));
  }
  return adapted;
}

std::vector<at::Tensor> trainable(Adapted& adapted) {
  std::vector<at::Tensor> tensors;
  for (LoraLinear* layer : adapted.layers) {
    tensors.push_back(layer->a_RK());
    tensors.push_back(layer->b_NR());
  }
  for (const auto& [name, tensor] : projector_tensors(adapted.model.projector))
    tensors.push_back(*tensor);
  for (at::Tensor& tensor : tensors)
    tensor.requires_grad_(true);
  return tensors;
}

// Of `rows` outputs and 32 inputs, rank 4, on a dense weight; B is not 0.
std::unique_ptr<LoraLinear> dense_adapter(int64_t rows, double dropout,
                                          const std::shared_ptr<DropoutKey>& key) {
  const auto seed = static_cast<uint64_t>(rows);
  const LinearSpec spec{"model.layers.0.linear_" + std::to_string(rows), 0, rows, 32};
  auto layer =
      std::make_unique<LoraLinear>(std::make_unique<DenseLinear>(random_normal({rows, 32}, 1.0, seed)), spec,
                                   LoraOptions{4, 8.0, dropout}, key, 2, at::kCPU);
  layer->b_NR().copy_(random_normal({rows, 4}, 1.0, seed + 1));
  return layer;
}

struct Gradients {
  double loss = 0.0;
  std::vector<at::Tensor> values;
};

Gradients backward(Adapted& adapted, std::vector<at::Tensor>& tensors, const Batch& batch,
                   Checkpointing checkpointing) {
  for (at::Tensor& tensor : tensors)
    tensor.mutable_grad() = at::Tensor();
  ForwardOptions options;
  options.checkpointing = checkpointing;
  const at::Tensor loss = token_losses(adapted.model, batch, options).nll_M.mean();
  torch::autograd::backward({loss}, {});
  Gradients gradients{loss.item<double>(), {}};
  for (const at::Tensor& tensor : tensors)
    gradients.values.push_back(tensor.grad().clone());
  return gradients;
}

void require_equal(const Gradients& a, const Gradients& b) {
  CHECK(a.loss == b.loss);
  REQUIRE(a.values.size() == b.values.size());
  for (size_t i = 0; i < a.values.size(); ++i) {
    INFO("tensor " << i);
    CHECK(at::equal(a.values[i], b.values[i]));
    CHECK(largest(a.values[i]) > 0.0);
  }
}

// sum(y * y * w) of one LoRA layer, in double.
double layer_loss(const LoraLinear& layer, const at::Tensor& x, const at::Tensor& w) {
  at::NoGradGuard no_grad;
  return (layer.forward(x).square() * w).sum().item<double>();
}

void check_against_differences(const LoraLinear& layer, at::Tensor& parameter, const at::Tensor& x,
                               const at::Tensor& w) {
  // In double with a step of 2^-10 the quadratic loss's central difference is exact but for rounding (1e-16 /
  // 1e-3), and the step is exact in float32 for values near 1; the gradient itself is kept in float32: 6e-8
  // relative.
  constexpr float kStep = 0x1p-10F;
  float* data = parameter.data_ptr<float>();
  const at::Tensor gradient = parameter.grad();
  for (int64_t i = 0; i < parameter.numel(); ++i) {
    const float kept = data[i];
    const float up = kept + kStep, down = kept - kStep;
    data[i] = up;
    const double above = layer_loss(layer, x, w);
    data[i] = down;
    const double below = layer_loss(layer, x, w);
    data[i] = kept;
    const double numeric = (above - below) / (static_cast<double>(up) - static_cast<double>(down));
    CHECK(gradient.view(-1)[i].item<double>() == Approx(numeric).epsilon(1e-5).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("LoRA's gradients agree with central differences") {
  const LinearSpec spec{"model.layers.0.mlp.up_proj", 0, 5, 7};
  const LoraOptions options{3, 6.0, 0.25};
  auto key = std::make_shared<DropoutKey>();
  auto base = std::make_unique<DenseLinear>(random_normal({5, 7}, 1.0, 1));
  LoraLinear layer(std::move(base), spec, options, key, 2, at::kCPU);
  layer.b_NR().copy_(random_normal({5, 3}, 1.0, 3));
  layer.a_RK().requires_grad_(true);
  layer.b_NR().requires_grad_(true);
  const at::Tensor x = random_normal({2, 4, 7}, 1.0, 4).to(at::kDouble).requires_grad_(true);
  const at::Tensor w = random_normal({2, 4, 5}, 1.0, 5).to(at::kDouble);
  for (const uint64_t seed : {uint64_t{0}, uint64_t{11}}) {  // without and with dropout
    INFO("dropout seed " << seed);
    key->seed = seed;
    layer.a_RK().mutable_grad() = at::Tensor();
    layer.b_NR().mutable_grad() = at::Tensor();
    torch::autograd::backward({(layer.forward(x).square() * w).sum()}, {});
    check_against_differences(layer, layer.a_RK(), x, w);
    check_against_differences(layer, layer.b_NR(), x, w);
  }
}

TEST_CASE("a fresh adapter changes nothing, a merged one computes the same") {
  at::NoGradGuard no_grad;
  const Expected expected = read_expected(model_fixture("gqa"));
  Adapted adapted;
  adapted.model = load_dense(source_of(model_fixture("gqa")));
  const at::Tensor before = all_logits(adapted.model, expected.batch);
  adapted.layers = attach_lora(adapted.model.language, {4, 8.0, 0.1}, adapted.key, 5, at::kCPU);
  CHECK(adapted.layers.size() == 21);
  CHECK(at::equal(all_logits(adapted.model, expected.batch), before));
  for (LoraLinear* layer : adapted.layers) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(layer->a_RK().size(1)));
    CHECK(largest(layer->a_RK()) <= bound);
    CHECK(largest(layer->a_RK()) > 0.9 * bound);  // at least 160 draws: all below 0.9 happens once in 10^7
  }
  adapted = adapted_model({4, 8.0, 0.1});
  const at::Tensor apart = all_logits(adapted.model, expected.batch);
  CHECK(relative_error(apart, before) > 0.01);
  for (LlamaBlock& block : adapted.model.language.blocks) {
    for (auto& [name, linear] : block_linears(block)) {
      *linear = std::make_unique<DenseLinear>((*linear)->dense_weight(at::kFloat));
    }
  }
  // One float32 sum in another order.
  CHECK(relative_error(all_logits(adapted.model, expected.batch), apart) < 1e-5);
}

TEST_CASE("a frozen adapter's 16-bit copies follow its values") {
  const LinearSpec spec{"model.layers.0.mlp.up_proj", 0, 48, 32};
  const LoraOptions options{4, 8.0, 0.0};
  const auto weight = random_normal({48, 32}, 1.0, 1).to(at::kBFloat16);
  LoraLinear layer(std::make_unique<DenseLinear>(weight), spec, options, std::make_shared<DropoutKey>(), 2,
                   at::kCPU);
  const at::Tensor x = random_normal({3, 32}, 1.0, 4).to(at::kBFloat16);
  const int64_t values = 4 * (48 + 32), copied = 2 * values;
  const int64_t held = layer.base().weight_bytes() + 4 * values;  // float32
  const auto without_gradients = [&] {
    at::NoGradGuard no_grad;
    return layer.forward(x);
  };
  // With gradients recorded nothing is kept: the values as they are.
  const auto converted_anew = [&] { return layer.forward(x).detach(); };
  CHECK(layer.weight_bytes() == held);
  const at::Tensor at_zero = without_gradients();
  CHECK(at::equal(at_zero, converted_anew()));
  CHECK(layer.weight_bytes() == held + copied);

  layer.b_NR().copy_(random_normal({48, 4}, 1.0, 3));  // written to
  const at::Tensor written = without_gradients();
  CHECK_FALSE(at::equal(written, at_zero));
  CHECK(at::equal(written, converted_anew()));
  CHECK(at::equal(without_gradients(), written));
  layer.a_RK() = random_normal({4, 32}, 1.0, 5);  // another tensor, whose version is 0 as well
  const at::Tensor replaced = without_gradients();
  CHECK_FALSE(at::equal(replaced, written));
  CHECK(at::equal(replaced, converted_anew()));
  CHECK(layer.weight_bytes() == held + copied);
}

TEST_CASE("adapters whose bases multiply together give what each gives by itself") {
  const auto key = std::make_shared<DropoutKey>();
  std::vector<std::unique_ptr<LoraLinear>> layers;
  for (const int64_t rows : {48, 16, 24})
    layers.push_back(dense_adapter(rows, 0.25, key));
  const DenseLinear dense(random_normal({8, 32}, 1.0, 7));
  const std::vector<std::vector<const Linear*>> all = {
      {layers[0].get(), layers[1].get(), layers[2].get()},
      {layers[1].get()},
      {layers[2].get(), &dense, layers[0].get()},  // not all of them adapters
      {&dense, layers[1].get()}};
  at::NoGradGuard no_grad;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = random_normal({2, 3, 32}, 1.0, 4).to(dtype);
    for (const uint64_t seed : {uint64_t{0}, uint64_t{11}}) {  // without and with dropout
      key->seed = seed;
      for (const std::vector<const Linear*>& linears : all) {
        INFO(toString(dtype) << ", dropout seed " << seed << ", linears " << linears.size());
        std::vector<at::Tensor> expected;
        for (const Linear* linear : linears)
          expected.push_back(linear->forward(x));
        require_same_bits(linears.front()->joined_forward(linears, x), expected);
        require_same_bits(forward_together(linears, x), expected);
      }
    }
  }
}

TEST_CASE("linears that multiply together have the gradients of each by itself") {
  std::vector<at::Tensor> tensors = {random_normal({2, 3, 32}, 1.0, 4).requires_grad_(true)};
  std::vector<std::unique_ptr<LoraLinear>> layers;
  for (const int64_t rows : {48, 16}) {
    layers.push_back(dense_adapter(rows, 0.0, std::make_shared<DropoutKey>()));
    for (at::Tensor* tensor : {&layers.back()->a_RK(), &layers.back()->b_NR()})
      tensors.push_back(tensor->requires_grad_(true));
  }
  const auto gradients_of = [&](const std::vector<at::Tensor>& results) {
    return torch::autograd::grad({results[0].square().sum() + results[1].square().sum()}, tensors);
  };
  const at::Tensor& x = tensors.front();
  const auto expected = gradients_of({layers[0]->forward(x), layers[1]->forward(x)});
  require_same_bits(gradients_of(forward_together({layers[0].get(), layers[1].get()}, x)), expected);
}

TEST_CASE("an adapter that is trained is never read from a copy") {
  const LinearSpec spec{"model.layers.0.mlp.up_proj", 0, 48, 32};
  const auto weight = random_normal({48, 32}, 1.0, 1).to(at::kBFloat16);
  LoraLinear layer(std::make_unique<DenseLinear>(weight), spec, {4, 8.0, 0.0}, std::make_shared<DropoutKey>(),
                   2, at::kCPU);
  layer.b_NR().copy_(random_normal({48, 4}, 1.0, 3));
  layer.a_RK().requires_grad_(true);
  layer.b_NR().requires_grad_(true);
  const at::Tensor x = random_normal({3, 32}, 1.0, 4).to(at::kBFloat16);
  at::NoGradGuard no_grad;
  const at::Tensor before = layer.forward(x);
  const int64_t version = layer.a_RK()._version();
  layer.a_RK().data_ptr<float>()[0] += 8.0F;  // as an optimizer's kernel does
  CHECK(layer.a_RK()._version() == version);
  CHECK_FALSE(at::equal(layer.forward(x), before));
  CHECK(layer.weight_bytes() == layer.base().weight_bytes() + 4 * 4 * (48 + 32));  // no copies
}

TEST_CASE("gradient checkpointing gives the same bits") {
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{3}}) {  // without and with dropout
    INFO("dropout seed " << seed);
    Adapted adapted = adapted_model({4, 8.0, 0.3});
    adapted.key->seed = seed;
    auto tensors = trainable(adapted);
    const Gradients plain = backward(adapted, tensors, batch, Checkpointing::none);
    require_equal(backward(adapted, tensors, batch, Checkpointing::block), plain);
    require_equal(backward(adapted, tensors, batch, Checkpointing::feed_forward), plain);
    require_equal(backward(adapted, tensors, batch, Checkpointing::none), plain);
  }
}

TEST_CASE("gradient checkpointing reaches the adapter when nothing in front of it is trained") {
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  Adapted adapted = adapted_model({4, 8.0, 0.0});
  auto tensors = trainable(adapted);
  for (const auto& [name, tensor] : projector_tensors(adapted.model.projector))
    tensor->requires_grad_(false);
  tensors.resize(2 * adapted.layers.size());
  const Gradients plain = backward(adapted, tensors, batch, Checkpointing::none);
  require_equal(backward(adapted, tensors, batch, Checkpointing::block), plain);
  require_equal(backward(adapted, tensors, batch, Checkpointing::feed_forward), plain);
}

TEST_CASE("dropout follows its seed and is off at seed 0") {
  at::NoGradGuard no_grad;
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  Adapted adapted = adapted_model({4, 8.0, 0.3});
  const auto logits = [&](uint64_t seed) {
    adapted.key->seed = seed;
    return all_logits(adapted.model, batch);
  };
  const at::Tensor off = logits(0), one = logits(1);
  CHECK(at::equal(one, logits(1)));
  CHECK_FALSE(at::equal(one, logits(2)));
  CHECK_FALSE(at::equal(one, off));
}

TEST_CASE("gradients reach the vision tower only when asked") {
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  Llava model = load_dense(source_of(model_fixture("gqa")));
  model.vision.class_embedding_D.requires_grad_(true);
  model.projector.first.weight.requires_grad_(true);
  ForwardOptions options;
  torch::autograd::backward({token_losses(model, batch, options).nll_M.mean()}, {});
  CHECK_FALSE(model.vision.class_embedding_D.grad().defined());
  CHECK(model.projector.first.weight.grad().defined());
  options.train_vision = true;
  torch::autograd::backward({token_losses(model, batch, options).nll_M.mean()}, {});
  CHECK(largest(model.vision.class_embedding_D.grad()) > 0.0);
}
