#include "data/batch.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"

namespace qslaw {
namespace {

/// Ids and labels with each placeholder written tokens_per_picture times.
struct Expanded {
  std::vector<int64_t> ids, labels;
};

Expanded expand(const LoadedSample& loaded, int64_t tokens_per_picture) {
  const Sample& sample = loaded.sample;
  QSLAW_CHECK(sample.ids.size() == sample.labels.size());
  QSLAW_CHECK(std::count(sample.ids.begin(), sample.ids.end(), kImagePlaceholder) ==
              static_cast<int64_t>(loaded.pixels_3SS.size()));
  Expanded out;
  for (size_t i = 0; i < sample.ids.size(); ++i) {
    const bool picture = sample.ids[i] == kImagePlaceholder;
    const auto times = static_cast<size_t>(picture ? tokens_per_picture : 1);
    out.ids.insert(out.ids.end(), times, sample.ids[i]);
    out.labels.insert(out.labels.end(), times, picture ? kIgnoreLabel : sample.labels[i]);
  }
  return out;
}

/// [B, T] with T the longest row; shorter rows end in `filler`.
at::Tensor pad_right(const std::vector<std::vector<int64_t>>& rows, int64_t filler) {
  size_t longest = 0;
  for (const auto& row : rows)
    longest = std::max(longest, row.size());
  at::Tensor out_BT =
      at::full({static_cast<int64_t>(rows.size()), static_cast<int64_t>(longest)}, filler, at::kLong);
  int64_t* out = out_BT.data_ptr<int64_t>();
  for (size_t b = 0; b < rows.size(); ++b)
    std::copy(rows[b].begin(), rows[b].end(), out + b * longest);
  return out_BT;
}

using Rows = std::vector<std::vector<int64_t>>;

// All in one.
Rows end_to_end(const Rows& rows) {
  Rows joined(1);
  for (const auto& row : rows)
    joined[0].insert(joined[0].end(), row.begin(), row.end());
  return joined;
}

}  // namespace

std::vector<int64_t> Batch::packed_lengths() const {
  if (!is_packed) return {};
  const int64_t* lengths = lengths_B.const_data_ptr<int64_t>();
  return {lengths, lengths + lengths_B.numel()};
}

Batch collate(const std::vector<LoadedSample>& samples, int64_t tokens_per_picture, int64_t pad_id,
              bool pack) {
  QSLAW_CHECK(!samples.empty() && tokens_per_picture > 0);
  Batch batch;
  batch.is_packed = pack;
  Rows ids, labels;
  std::vector<int64_t> lengths;
  std::vector<at::Tensor> pixels;
  for (const LoadedSample& loaded : samples) {
    Expanded expanded = expand(loaded, tokens_per_picture);
    lengths.push_back(static_cast<int64_t>(expanded.ids.size()));
    if (pack && !expanded.labels.empty()) expanded.labels.front() = kIgnoreLabel;
    ids.push_back(std::move(expanded.ids));
    labels.push_back(std::move(expanded.labels));
    pixels.insert(pixels.end(), loaded.pixels_3SS.begin(), loaded.pixels_3SS.end());
    batch.sample_ids.push_back(loaded.sample.id);
    batch.is_text.push_back(loaded.sample.is_text());
  }
  batch.ids_BT = pad_right(pack ? end_to_end(ids) : ids, pad_id);
  batch.labels_BT = pad_right(pack ? end_to_end(labels) : labels, kIgnoreLabel);
  batch.lengths_B = at::tensor(lengths, at::kLong);
  if (!pixels.empty()) batch.pixels_N3SS = at::stack(pixels);
  return batch;
}

}  // namespace qslaw
