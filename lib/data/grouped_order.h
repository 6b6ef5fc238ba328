// LLaVA's order by modality and length (its group_by_modality_length): samples of a step are all with
// pictures or all text, and about as long as each other, so that little is padded.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace qslaw {

/// A step: `micro_batches` forward passes over `micro_batch_size` samples each.
struct StepShape {
  int64_t micro_batch_size = 1;
  int64_t micro_batches = 1;
  int64_t size() const { return micro_batch_size * micro_batches; }
};

/// What is shuffled.
enum class GroupShuffle { pictures, texts, steps };

/// A random order of the numbers 0..count - 1.
using Shuffle = std::function<std::vector<int64_t>(int64_t count, GroupShuffle what)>;

/// An epoch over the samples of these lengths, which are negative for text alone and never 0. Each modality
/// is shuffled and cut into steps, in which the longest come first and micro-batches are about equally long;
/// the steps are shuffled. The last step of each modality, which may be short, makes the end, by number and
/// with both modalities. `lead` samples, fewer than a step, come first to fill up a step that another epoch
/// began: they are taken from that end, which is made longer by further steps where it is too short. With one
/// modality nothing is mixed, steps stay in the order that they were cut in, and the first one has `lead`
/// samples unless that is 0.
std::vector<int64_t> grouped_order(const std::vector<int64_t>& lengths, const StepShape& step, int64_t lead,
                                   const Shuffle& shuffle);

}  // namespace qslaw
