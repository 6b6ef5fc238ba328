#include "recipe/training_pass.h"

#include <algorithm>

#include "kernels/cross_entropy.h"

namespace qslaw {
namespace {

// Of block_activation_values those that are made again in the backward pass, one block at a time.
int64_t recomputed_values(const LanguageConfig& config, Checkpointing checkpointing) {
  if (checkpointing == Checkpointing::block) return block_activation_values(config) - config.width;
  return checkpointing == Checkpointing::feed_forward ? config.width + 3 * config.ffn : 0;
}

// The longest sample, and others of the mean length.
int64_t tokens_of_samples(int64_t count, const DataShape& data) {
  return data.longest + static_cast<int64_t>(static_cast<double>(count - 1) * data.mean_tokens);
}

// Rows as long as the longest sample; or that one with others behind it, up to the length that rows are
// filled to.
int64_t tokens_of_pass(const LoopOptions& loop, const DataShape& data) {
  if (!loop.packing) return loop.micro_batch_size * data.longest;
  if (loop.packed_length == 0) return tokens_of_samples(loop.micro_batch_size, data);
  return std::min(tokens_of_samples(loop.batch_size, data), std::max(loop.packed_length, data.longest));
}

double learned_in_pass(const LoopOptions& loop, const DataShape& data) {
  if (loop.packed_length == 0) return static_cast<double>(loop.micro_batch_size) * data.mean_learned;
  const double in_row = static_cast<double>(tokens_of_pass(loop, data)) / std::max(1.0, data.mean_tokens);
  return std::min(in_row, static_cast<double>(loop.batch_size)) * data.mean_learned;
}

}  // namespace

int64_t block_activation_values(const LanguageConfig& config) {
  const int64_t Q = config.heads * config.head_size, KV = config.kv_heads * config.head_size;
  return 4 * config.width + 2 * Q + 2 * KV + 3 * config.ffn;
}

double recomputed_share(const LanguageConfig& config, Checkpointing checkpointing) {
  if (checkpointing != Checkpointing::feed_forward) return checkpointing == Checkpointing::block ? 1.0 : 0.0;
  const auto feed_forward = static_cast<double>(3 * config.ffn * config.width);
  const int64_t heads = 2 * (config.heads + config.kv_heads);
  return feed_forward / (feed_forward + static_cast<double>(heads * config.head_size * config.width));
}

int64_t training_activations(const LlavaConfig& config, const LoopOptions& loop, const DataShape& data,
                             int64_t bytes) {
  const LanguageConfig& language = config.language;
  const int64_t tokens = tokens_of_pass(loop, data);
  const int64_t block = tokens * block_activation_values(language) * bytes;
  const int64_t again = tokens * recomputed_values(language, loop.checkpointing) * bytes;
  // Logits exist for a chunk of the learned tokens (kernels/cross_entropy.h).
  const auto learned = static_cast<int64_t>(learned_in_pass(loop, data));
  const int64_t chunk =
      std::min(learned * language.vocab * bytes, std::max(kLogitBytes, 64 * language.vocab * bytes));
  return language.layers * (block - again) + again + chunk;
}

double training_flops(const LlavaConfig& config, const DataShape& data, const LoopOptions& loop,
                      bool weight_gradients) {
  const ModelCounts counts = count_model(config);
  const double passes =
      2.0 + recomputed_share(config.language, loop.checkpointing) + (weight_gradients ? 1.0 : 0.0);
  const double tokens = static_cast<double>(data.samples) * data.mean_tokens;
  return 2.0 * static_cast<double>(counts.linears + config.language.vocab * config.language.width / 8) *
         tokens * passes;
}

}  // namespace qslaw
