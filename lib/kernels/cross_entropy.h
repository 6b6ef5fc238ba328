// Cross-entropy of an output head over the vocabulary, without the logits of all tokens at once.
// Letters: M tokens, D width, V vocabulary.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// Logits that exist at a time: enough rows for a product at full speed.
inline constexpr int64_t kLogitBytes = int64_t{32} << 20;

/// Negative log likelihoods [M], float32, of targets_M (int64, each from 0 to V - 1; beside hidden, or on the
/// CPU, where checking them keeps no GPU waiting) under softmax(hidden head'). Logits are
/// rounded to hidden's dtype, the softmax is float32. Differentiable in hidden_MD and head_VD (any floating
/// dtype, rounded to hidden's on use), the incoming gradient being one number per token.
///
/// Tokens are taken in chunks of a multiple of 64 whose logits fit `logit_bytes`. With a frozen head the
/// gradient of hidden is made in the forward pass from the chunk's logits, for incoming gradients of 1, and
/// only scaled in the backward pass: M * D values are kept. With a trained head, whose gradient mixes the
/// tokens, the backward pass computes each chunk's logits again.
at::Tensor linear_cross_entropy(const at::Tensor& hidden_MD, const at::Tensor& head_VD,
                                const at::Tensor& targets_M, int64_t logit_bytes = kLogitBytes);

/// The same in LibTorch's operators over all tokens at once: what tests compare with.
at::Tensor linear_cross_entropy_reference(const at::Tensor& hidden_MD, const at::Tensor& head_VD,
                                          const at::Tensor& targets_M);

}  // namespace qslaw
