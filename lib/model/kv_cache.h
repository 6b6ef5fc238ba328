// Keys and values of the tokens seen so far, per decoder block.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/rotary.h"
#include "model/config.h"
#include "model/rope.h"

namespace qslaw {

/// Preallocated for `capacity` tokens per row. Rows may have different lengths: row b's token i sits at slot
/// i.
class KvCache {
 public:
  KvCache(const LanguageConfig& config, int64_t batch, int64_t capacity, at::TensorOptions options);

  /// Stores the prompt's keys and values, [B, Hkv, T, S], at slots 0..T-1.
  void store_prompt(int64_t layer, const at::Tensor& keys_BHTS, const at::Tensor& values_BHTS);
  /// A decode step: claim_slots, append for every layer, advance. What it does on the device does not depend
  /// on lengths, and neither do shapes and addresses, so that it can be recorded (kernels/cuda_graph.h) but
  /// for claim_slots, which counts on the host.
  ///
  /// Room for one token more per row. InternalError when there is none.
  void claim_slots();
  /// Stores one token per row at slot lengths[b], its key turned by the table of its position, [B, 1, 1, S];
  /// returns its queries, turned too, [B, H, 1, S].
  at::Tensor append(int64_t layer, const NewToken& token, const RopeTable& rope);
  /// Every row has one token more.
  void advance();

  /// All slots of a layer, [B, Hkv, capacity, S].
  const at::Tensor& keys(int64_t layer) const { return keys_[static_cast<size_t>(layer)]; }
  const at::Tensor& values(int64_t layer) const { return values_[static_cast<size_t>(layer)]; }

  void set_lengths(const at::Tensor& lengths_B);
  const at::Tensor& lengths() const { return lengths_B_; }
  /// Slots that a row's new token attends to: its own included.
  const at::Tensor& lengths_with_new_token() const { return lengths_with_new_token_B_; }

 private:
  std::vector<at::Tensor> keys_, values_;  // L x [B, Hkv, capacity, S]
  at::Tensor lengths_B_, lengths_with_new_token_B_;
  int64_t capacity_;
  int64_t longest_ = 0;  // row
};

}  // namespace qslaw
