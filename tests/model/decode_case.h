// Text of a small decoder behind prompts of several lengths, by single steps and by a stepper.
#pragma once
#include <functional>

#include "model/decode.h"
#include "seeded_decoder.h"

namespace qslaw {

inline Llava seeded_dense_decoder(at::Device device) {
  return seeded_decoder(device, seeded_dense_linears(device));
}

/// Text prompts of 5, 2 and 7 tokens.
inline Batch ragged_prompts() {
  Batch batch;
  batch.ids_BT = at::arange(21, at::kLong).view({3, 7}) * 5 % seeded_decoder_config().vocab;
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
