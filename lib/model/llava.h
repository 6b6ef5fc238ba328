// The whole model: CLIP tower, projector, LLaMA decoder, and the loss over a batch.
#pragma once
#include <ATen/core/Tensor.h>

#include "data/batch.h"
#include "model/clip.h"
#include "model/llama.h"
#include "model/projector.h"

namespace qslaw {

struct Llava {
  LlavaConfig config;
  ClipTower vision;
  Projector projector;
  Llama language;
  at::ScalarType dtype = at::kFloat;  // of the activations
  at::Device device = at::kCPU;
};

struct ForwardOptions {
  Checkpointing checkpointing = Checkpointing::none;
  bool train_vision = false;  // let gradients reach the vision tower
};

/// Rows of the table, [..., D] in the model's dtype on its device, for ids [...].
at::Tensor embed_tokens(const Llava& model, const at::Tensor& ids);

/// Token embeddings with picture features spliced in, [B, T, D]. Placeholders must be expanded and match the
/// pictures.
at::Tensor embed_batch(const Llava& model, const Batch& batch, const ForwardOptions& options = {});

/// Negative log likelihoods of a batch: one entry per learned token, sample by sample.
struct TokenLosses {
  at::Tensor nll_M;   // float32, differentiable
  at::Tensor rows_M;  // int64, on the CPU: which sample
};

/// The label at t is predicted from position t - 1. Only positions with a label reach the head.
TokenLosses token_losses(const Llava& model, const Batch& batch, const ForwardOptions& options = {});

/// Logits of every position, [B, T, V] float32.
at::Tensor all_logits(const Llava& model, const Batch& batch);

}  // namespace qslaw
