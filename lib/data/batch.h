// A micro-batch as tensors.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "data/dataset.h"

namespace qslaw {

/// A sample with its pictures decoded and transformed.
struct LoadedSample {
  Sample sample;
  std::vector<at::Tensor> pixels_3SS;  // one per placeholder, float32
};

/// A row per sample, right padded; or packed: one row (B = 1) in which the samples lie end to end, and the
/// first label of each is kIgnoreLabel, because no token before it predicts it. Every placeholder is expanded
/// to tokens_per_picture entries of kImagePlaceholder.
struct Batch {
  at::Tensor ids_BT;       // int64; padding is pad_id
  at::Tensor labels_BT;    // int64; padding and pictures are kIgnoreLabel
  at::Tensor lengths_B;    // int64, tokens of each sample, without padding
  at::Tensor pixels_N3SS;  // float32; undefined when no sample has a picture; order of appearance
  std::vector<std::string> sample_ids;
  std::vector<bool> is_text;  // per sample
  bool is_packed = false;
  /// The lengths when packed, else empty.
  std::vector<int64_t> packed_lengths() const;
};

Batch collate(const std::vector<LoadedSample>& samples, int64_t tokens_per_picture, int64_t pad_id,
              bool pack = false);

}  // namespace qslaw
