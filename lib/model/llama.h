// The LLaMA decoder: RMSNorm, rotary embedding, grouped-query attention, SwiGLU.
// Letters: B batch, T tokens, D width, F ffn, H heads, S head size, V vocabulary.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/rms_norm.h"
#include "model/checkpointing.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/linear.h"
#include "model/rope.h"

namespace qslaw {

struct LlamaBlock {
  at::Tensor input_norm_D;
  at::Tensor post_norm_D;
  std::unique_ptr<Linear> q, k, v, o, gate, up, down;
};

struct Llama {
  LanguageConfig config;
  at::Tensor embedding_VD;
  bool maps_embedding = false;  // embedding_VD lies in a mapped file, in that file's dtype (model/load.h)
  std::vector<LlamaBlock> blocks;
  at::Tensor norm_D;
  at::Tensor head_VD;  // the same tensor as embedding_VD when tied
  at::Tensor rope_frequencies;
};

/// The seven linears of a block with their short names ("self_attn.q_proj", ...), in checkpoint order.
std::vector<std::pair<std::string, std::unique_ptr<Linear>*>> block_linears(LlamaBlock& block);

/// The spec of every linear of a decoder, block by block.
std::vector<LinearSpec> linear_specs(const LanguageConfig& config);

/// Attention of whole sequences from position 0, one per row or those that the table says lie end to end in
/// it; with a cache, which takes one per row, it also stores keys and values. Padding must be on the right:
/// causality then hides it.
at::Tensor block_forward(const LlamaBlock& block, const LanguageConfig& config, const at::Tensor& x_BTD,
                         const RopeTable& rope, KvCache* cache = nullptr, int64_t layer = 0);

/// One new token per row over the cache. x_B1D: what the block gets, with its norm by input_norm_D; returns
/// what it gives, with its norm by next_norm_D, the next block's or the last one. So every residual sum is
/// normalized in the kernel that adds it.
SumAndNorm block_decode(const LlamaBlock& block, const LanguageConfig& config, const SumAndNorm& x_B1D,
                        const at::Tensor& next_norm_D, const RopeTable& rope, KvCache& cache, int64_t layer);

/// The table for x_BTD, whose rows are one sequence each or, with lengths in `packed`, so many end to end.
RopeTable rope_table_for(const Llama& model, const at::Tensor& x_BTD, const std::vector<int64_t>& packed);

/// All blocks and the final norm over x_BTD, its rows as rope_table_for has them.
at::Tensor llama_hidden(const Llama& model, const at::Tensor& x_BTD, Checkpointing checkpointing,
                        const std::vector<int64_t>& packed = {});

/// Logits [..., V] in float32.
at::Tensor llama_logits(const Llama& model, const at::Tensor& hidden);

}  // namespace qslaw
