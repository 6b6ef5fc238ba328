// What a training pass over the decoder keeps in memory and computes.
#pragma once
#include <cstdint>

#include "recipe/estimate.h"

namespace qslaw {

/// Tensors that one decoder block keeps for its backward pass, per token, in values of the compute dtype:
/// block input, residual, both normalized; rotated q and k, v, attention output; gate, up, their product.
int64_t block_activation_values(const LanguageConfig& config);

/// Share of a block's products that run once more.
double recomputed_share(const LanguageConfig& config, Checkpointing checkpointing);

/// Bytes that the blocks keep at the peak of a micro-batch, and the logits; `bytes` per value of the compute
/// dtype.
int64_t training_activations(const LlavaConfig& config, const LoopOptions& loop, const DataShape& data,
                             int64_t bytes);

/// Products over all samples, in units of 2 * values * tokens: forward, input gradient, recomputation, and
/// weight gradients where they are needed.
double training_flops(const LlavaConfig& config, const DataShape& data, const LoopOptions& loop,
                      bool weight_gradients);

}  // namespace qslaw
