// How the samples of an optimizer step are dealt to forward and backward passes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "train/options.h"

namespace qslaw {

/// One forward and backward pass.
struct Pass {
  std::vector<size_t> samples;  // their places within the step, in the order of their rows
  double weight = 1.0;          // of the mean over its learned tokens in the step's loss
};

/// Every sample in one pass; the weights add up to 1 (docs/method.md, "Loss"). By loop.micro_batch_size, in
/// the samples' order and all passes alike; or in rows of loop.packed_length tokens (data/packed_rows.h),
/// each by its share of the step's learned tokens. A function of the samples' lengths alone.
std::vector<Pass> make_passes(const std::vector<LoadedSample>& samples, const LoopOptions& loop,
                              int64_t tokens_per_picture);

}  // namespace qslaw
