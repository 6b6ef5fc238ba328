// The decoder on a GPU, where there is one, against the same in float32 on the CPU: losses, gradients of LoRA
// through attention, generation.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "adapted_decoder.h"
#include "compare_tensors.h"
#include "decode_case.h"
#include "kernels/gpu_case.h"
#include "model/generate.h"

using namespace qslaw;

namespace {

// float32 sums of up to 96 terms in another order, through two blocks and back: some 100 roundings of 6e-8,
// of the largest value. LibTorch's attention multiplies float32 on the matrix units in three parts, which
// leaves a little more.
constexpr double kRoundings = 1e-4;

// Two texts of unlike length, or packed, which is the same end to end.
Batch text_batch(bool packed, int64_t first = 9, int64_t second = 6) {
  const auto ids = [](int64_t row, int64_t length) {
    return (at::arange(length) * (5 + row) + 3).remainder(seeded_decoder_config().vocab);
  };
  Batch batch;
  batch.lengths_B = at::tensor({first, second}, at::kLong);
  batch.is_packed = packed;
  if (packed) {
    batch.ids_BT = at::cat({ids(0, first), ids(1, second)}).unsqueeze(0);
    batch.labels_BT = batch.ids_BT.clone();
    for (const int64_t begin : {int64_t{0}, first})
      batch.labels_BT[0][begin] = kIgnoreLabel;
    return batch;
  }
  batch.ids_BT = at::zeros({2, first}, at::kLong);
  batch.labels_BT = at::full({2, first}, kIgnoreLabel, at::kLong);
  for (const auto& [row, length] : {std::pair{0, first}, std::pair{1, second}}) {
    batch.ids_BT[row].narrow(0, 0, length).copy_(ids(row, length));
    batch.labels_BT[row].narrow(0, 0, length).copy_(ids(row, length));
  }
  return batch;
}

AdaptedDecoder dense_decoder(at::Device device, at::ScalarType dtype = at::kFloat) {
  return adapted_decoder(device, seeded_dense_linears(device, dtype), dtype);
}

// Losses, then the gradient of their mean in every leaf.
std::vector<at::Tensor> losses_and_gradients(const AdaptedDecoder& adapted, const Batch& batch,
                                             Checkpointing checkpointing) {
  const at::Tensor nll_M = token_losses(adapted.model, batch, {checkpointing, false}).nll_M;
  std::vector<at::Tensor> results = {nll_M.detach()};
  // Not grad(): a checkpointed part adds to its leaves itself.
  torch::autograd::backward({nll_M.mean()}, {});
  for (const at::Tensor& leaf : adapted.leaves) {
    results.push_back(leaf.grad().clone());
    leaf.mutable_grad() = at::Tensor();
  }
  return results;
}

GenerateOptions greedy_options(int64_t tokens) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  options.eos_id = -1;
  return options;
}

// How far the likeliest token is ahead of the next one, relative to the largest logit, at its least in any
// step.
double smallest_lead(const Llava& model, const Batch& prompts, int64_t steps) {
  at::NoGradGuard no_grad;
  KvCache cache = cache_for(model, prompts, steps);
  at::Tensor logits_BV = prefill(model, prompts, cache);
  double lead = 1.0;
  for (int64_t step = 0; step < steps; ++step) {
    const at::Tensor two_B2 = std::get<0>(logits_BV.topk(2, -1));
    const at::Tensor ahead_B = two_B2.select(1, 0) - two_B2.select(1, 1);
    lead = std::min(lead, ahead_B.min().item<double>() / logits_BV.abs().max().item<double>());
    if (step + 1 < steps) logits_BV = decode_step(model, logits_BV.argmax(-1), cache);
  }
  return lead;
}

}  // namespace

TEST_CASE("a GPU's losses and gradients of LoRA are the CPU's, checkpointed or not, padded or packed",
          "[gpu]") {
  if (!has_gpu()) return;
  const auto checkpointing = GENERATE(Checkpointing::none, Checkpointing::feed_forward, Checkpointing::block);
  const bool packed = GENERATE(false, true);
  INFO("checkpointing " << static_cast<int>(checkpointing) << (packed ? ", packed" : ", padded"));
  const Batch batch = text_batch(packed);
  const auto expected = losses_and_gradients(dense_decoder(at::kCPU), batch, checkpointing);
  const AdaptedDecoder on_gpu = dense_decoder(kGpu);
  const auto actual = losses_and_gradients(on_gpu, batch, checkpointing);
  REQUIRE(actual.size() == 1 + 2 * 14);
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO("result " << i);
    CHECK(actual[i].is_cuda());
    CHECK(relative_error(actual[i], expected[i]) < kRoundings);
  }
  require_same_bits(losses_and_gradients(on_gpu, batch, checkpointing), actual);
}

TEST_CASE("a GPU's block agrees with the CPU's, forward and backward", "[gpu]") {
  if (!has_gpu()) return;
  const at::Tensor x = random_normal({2, 11, 64}, 1.0, 1), dY = random_normal({2, 11, 64}, 1.0, 2);
  const auto run = [&](at::Device device) {
    const Llava model = seeded_decoder(device, seeded_dense_linears(device));
    const at::Tensor leaf = x.to(device).clone().requires_grad_(true);
    const RopeTable rope = rope_table_for(model.language, leaf, {});
    const at::Tensor y = block_forward(model.language.blocks[0], model.language.config, leaf, rope);
    torch::autograd::backward({y}, {dY.to(device)});
    return std::pair{y.detach(), leaf.grad()};
  };
  const auto expected = run(at::kCPU), actual = run(kGpu);
  CHECK(relative_error(actual.first, expected.first) < kRoundings);
  CHECK(relative_error(actual.second, expected.second) < kRoundings);
}

TEST_CASE("a GPU's gradients of long texts in bfloat16 have the same bits each time", "[gpu]") {
  if (!has_gpu()) return;
  // Long enough for attention to go over keys in several parts.
  const bool packed = GENERATE(false, true);
  const Batch batch = text_batch(packed, 700, 333);
  const AdaptedDecoder adapted = dense_decoder(kGpu, at::kBFloat16);
  const auto first = losses_and_gradients(adapted, batch, Checkpointing::block);
  for (int run = 0; run < 3; ++run)
    require_same_bits(losses_and_gradients(adapted, batch, Checkpointing::block), first);
}

TEST_CASE("a GPU's greedy generation is the CPU's", "[gpu][graph]") {
  constexpr int64_t kTokens = 12;
  const Batch prompts = text_batch(false);
  const Llava model = seeded_decoder(at::kCPU, seeded_dense_linears(at::kCPU));
  // No choice hangs on a rounding. Looked at without a GPU too: it is the CPU's.
  REQUIRE(smallest_lead(model, prompts, kTokens) > kRoundings);
  if (!has_gpu()) return;
  const auto expected = generate(model, prompts, greedy_options(kTokens));
  const Llava on_gpu = seeded_decoder(kGpu, seeded_dense_linears(kGpu));
  CHECK(generate(on_gpu, prompts, greedy_options(kTokens)) == expected);
}
