// The blocks of a decoder that a test makes up.
#pragma once
#include <utility>
#include <vector>

#include "model/llama.h"

namespace qslaw {

/// Calls norm() for the two norms of each block, then linear(spec) for each of its linears, in the order of
/// linear_specs.
template <typename Norm, typename MakeLinear>
std::vector<LlamaBlock> make_blocks(const LanguageConfig& config, const Norm& norm,
                                    const MakeLinear& linear) {
  const auto specs = linear_specs(config);
  size_t next = 0;
  std::vector<LlamaBlock> blocks;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    LlamaBlock block;
    block.input_norm_D = norm();
    block.post_norm_D = norm();
    for (auto& [name, slot] : block_linears(block))
      *slot = linear(specs[next++]);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace qslaw
