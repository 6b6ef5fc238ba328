// Rotary position embedding, Hugging Face's rotate-half form.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "model/config.h"

namespace qslaw {

/// Inverse frequencies [S/2], float32, with linear or llama3 scaling applied.
at::Tensor rope_frequencies(const RopeConfig& rope, int64_t head_size);

/// cos and sin for some positions, [.., T, S] in the compute dtype.
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
  // Lengths of the sequences that lie end to end along T, each of which attends to itself alone; empty: one.
  std::vector<int64_t> packed = {};
};

/// positions: int64, [T] or [B, T]; the table gets a head axis in front of T when batched ([B, 1, T, S]).
RopeTable make_rope_table(const at::Tensor& frequencies, const at::Tensor& positions, at::ScalarType dtype);

/// The table of positions 0 .. length - 1.
RopeTable rope_table_of_length(const at::Tensor& frequencies, int64_t length, at::ScalarType dtype);

/// The table of sequences of these lengths end to end, each from position 0.
RopeTable rope_table_of_packed(const at::Tensor& frequencies, const std::vector<int64_t>& lengths,
                               at::ScalarType dtype);

/// A projection's output x_BTN split into heads and rotated, [B, H, T, S].
at::Tensor apply_rope(const at::Tensor& x_BTN, int64_t heads, const RopeTable& table);

}  // namespace qslaw
