// How long OmniQuant takes: measured passes of one calibration batch through one decoder block, and what
// follows from them for a whole decoder.
#pragma once
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "quant/options.h"

namespace qslaw {

/// Seconds of the parts of one block's work.
struct BlockPasses {
  double full = 0.0;     // a batch forward, full-precision weights
  double clipped = 0.0;  // forward with its error, weights quantized by the factors
  double step = 0.0;     // forward, backward, update of the factors
  double packing = 0.0;  // codes of all linears, once
  double packed = 0.0;   // a batch forward, packed weights
};

/// Of a whole block whose samples are `batches` batches: they pass it with full-precision weights, twice to
/// measure the error (before and after learning) and packed, and `epochs` steps are done with each.
double block_seconds(const BlockPasses& passes, double batches, int64_t epochs);

/// So many of `tokens` that at `seconds_per_token` they take at most `seconds`, but not under 64 (or all).
int64_t tokens_within(int64_t tokens, double seconds_per_token, double seconds);

/// Seconds of `layers` blocks, of which `finished` are done, taken for as long as those `measured` on the
/// average. REQUIRES: one is measured.
double remaining_seconds(const std::vector<double>& measured, int64_t finished, int64_t layers);

/// Measures one batch of omniquant.batch_size rows with `tokens` tokens on a block of the decoder's shapes:
/// random weights and hidden states, as sizes decide how long it takes. A few tokens pass it before, because
/// first calls take longer. Holds one block. REQUIRES: shapes that the grid can take.
BlockPasses measure_block_passes(const LanguageConfig& config, const QuantizeOptions& options, int64_t tokens,
                                 at::ScalarType dtype, at::Device device);

}  // namespace qslaw
