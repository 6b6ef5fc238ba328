// How many values a model's parts have, and how many bytes the packed ones take.
#pragma once
#include <cstdint>

#include "model/config.h"
#include "quant/options.h"

namespace qslaw {

/// Values in the decoder's linears, in the rest of the language model, the tower (as far as used) and the
/// projector.
struct ModelCounts {
  int64_t linears = 0;
  int64_t other_language = 0;
  int64_t vision = 0;
  int64_t projector = 0;
  int64_t largest_linear = 0;
};
ModelCounts count_model(const LlavaConfig& config);

/// The decoder's packed linears that `model.stages` bring.
struct PackedLinears {
  int64_t bytes = 0;  // codes, scales and zero points
  int64_t group_size = 128;
};

/// Of what a quantize section makes of a decoder with so many values in its linears.
PackedLinears packed_linears(const QuantizeOptions& options, int64_t values);

/// Values of an adapter on all of the decoder's linears.
int64_t lora_values(const LanguageConfig& config, int64_t rank);

/// Values of one of the tower's blocks.
int64_t clip_block_values(const VisionConfig& config);

}  // namespace qslaw
