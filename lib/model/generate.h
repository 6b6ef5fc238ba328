// Batched text generation over a key-value cache.
#pragma once
#include <cstdint>
#include <vector>

#include "model/decode.h"

namespace qslaw {

struct GenerateOptions {
  int64_t max_new_tokens = 1024;
  double temperature = 0.0;  // 0 = greedy
  double top_p = 1.0;        // sampling: smallest set of tokens whose probability reaches this
  int64_t eos_id = 2;
  uint64_t seed = 42;  // sampling; row b of the batch draws from its own stream
};

/// New tokens per row, without the end token. `prompts` holds ids and pixels only (labels are not looked at).
/// UserError for logits that are not finite, with the sample's id and where in the model they arise. Throws
/// Stopped, within the batch, when a stop was asked for.
std::vector<std::vector<int64_t>> generate(const Llava& model, const Batch& prompts,
                                           const GenerateOptions& options);

}  // namespace qslaw
