// A small decoder of random weights, the same on every device, for tests that find no fixtures (those on a
// machine with a GPU), and its text.
#pragma once
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <functional>
#include <memory>

#include "model/decode.h"

namespace qslaw {

/// Makes a linear of a float32 weight [N, K] on the CPU.
using LinearOfWeight =
    std::function<std::unique_ptr<Linear>(const LinearSpec& spec, const at::Tensor& weight_NK)>;

inline Llava random_decoder(at::Device device, const LinearOfWeight& make) {
  LanguageConfig config;
  config.vocab = 97, config.width = 64, config.ffn = 128, config.layers = 2;
  config.heads = 4, config.kv_heads = 2, config.head_size = 16;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  const auto random = [&](int64_t N, int64_t K) { return at::randn({N, K}, generator, at::kFloat); };
  Llava model;
  model.config.language = config;
  model.device = device;
  Llama& language = model.language;
  language.config = config;
  language.embedding_VD = random(config.vocab, config.width).to(device);
  language.head_VD = random(config.vocab, config.width).to(device);
  language.norm_D = at::ones({config.width}).to(device);
  language.rope_frequencies = rope_frequencies(config.rope, config.head_size).to(device);
  const auto specs = linear_specs(config);
  size_t next = 0;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    LlamaBlock block;
    block.input_norm_D = block.post_norm_D = language.norm_D;
    for (auto& [name, linear] : block_linears(block)) {
      const LinearSpec& spec = specs[next++];
      *linear = make(spec, random(spec.rows, spec.columns) * 0.1);
    }
    language.blocks.push_back(std::move(block));
  }
  return model;
}

inline Llava random_dense_decoder(at::Device device) {
  return random_decoder(device, [device](const LinearSpec&, const at::Tensor& weight_NK) {
    return std::make_unique<DenseLinear>(weight_NK.to(device));
  });
}

/// Text prompts of 5, 2 and 7 tokens.
inline Batch ragged_prompts() {
  Batch batch;
  batch.ids_BT = at::arange(21, at::kLong).view({3, 7}) * 5 % 97;
  batch.lengths_B = at::tensor({5, 2, 7}, at::kLong);
  return batch;
}

inline KvCache cache_for(const Llava& model, const Batch& prompts, int64_t new_tokens) {
  return {model.language.config, prompts.ids_BT.size(0), prompts.ids_BT.size(1) + new_tokens,
          at::TensorOptions().dtype(model.dtype).device(model.device)};
}

/// The likeliest ids behind the ragged prompts, [B, steps] on the CPU, and the logits [B, V] behind them.
struct GreedyText {
  at::Tensor ids_BT, logits_BV;
};

/// step(tokens_B) computes the logits behind one more token per row.
inline GreedyText greedy_text(at::Tensor logits_BV, int64_t steps,
                              const std::function<at::Tensor(const at::Tensor& tokens_B)>& step) {
  std::vector<at::Tensor> tokens;
  for (int64_t i = 0; i < steps; ++i) {
    tokens.push_back(logits_BV.argmax(-1));
    logits_BV = step(tokens.back());
  }
  return {at::stack(tokens, 1).cpu(), logits_BV.cpu()};
}

/// By decode_step.
inline GreedyText text_by_steps(const Llava& model, int64_t steps) {
  at::NoGradGuard no_grad;
  const Batch prompts = ragged_prompts();
  KvCache cache = cache_for(model, prompts, steps);
  const at::Tensor logits_BV = prefill(model, prompts, cache);
  return greedy_text(logits_BV, steps,
                     [&](const at::Tensor& tokens_B) { return decode_step(model, tokens_B, cache); });
}

/// By a DecodeStepper; `replays` becomes whether it replayed the last step.
inline GreedyText text_by_stepper(const Llava& model, int64_t steps, bool& replays) {
  at::NoGradGuard no_grad;
  const Batch prompts = ragged_prompts();
  KvCache cache = cache_for(model, prompts, steps);
  const at::Tensor logits_BV = prefill(model, prompts, cache);
  DecodeStepper stepper(model, cache);
  const GreedyText text =
      greedy_text(logits_BV, steps, [&](const at::Tensor& tokens_B) { return stepper.step(tokens_B); });
  replays = stepper.replays();
  return text;
}

}  // namespace qslaw
