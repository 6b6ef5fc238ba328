#include "train/passes.h"

#include <algorithm>

#include "data/packed_rows.h"

namespace qslaw {
namespace {

std::vector<Pass> micro_batches(size_t count, size_t size) {
  const size_t passes = (count + size - 1) / size;
  std::vector<Pass> out(passes);
  for (size_t i = 0; i < count; ++i)
    out[i / size].samples.push_back(i);
  for (Pass& pass : out)
    pass.weight = 1.0 / static_cast<double>(passes);
  return out;
}

int64_t learned_in(const std::vector<LoadedSample>& samples, const std::vector<size_t>& row) {
  int64_t learned = 0;
  for (const size_t i : row)
    learned += learned_tokens(samples[i].sample);
  return learned;
}

std::vector<Pass> full_rows(const std::vector<LoadedSample>& samples, int64_t capacity,
                            int64_t tokens_per_picture) {
  std::vector<int64_t> lengths;
  int64_t learned = 0;
  for (const LoadedSample& loaded : samples) {
    lengths.push_back(expanded_length(loaded.sample, tokens_per_picture));
    learned += learned_tokens(loaded.sample);
  }
  std::vector<Pass> out;
  for (std::vector<size_t>& row : pack_rows(lengths, capacity)) {
    const double weight = static_cast<double>(learned_in(samples, row)) / static_cast<double>(learned);
    out.push_back({std::move(row), weight});
  }
  return out;
}

}  // namespace

std::vector<Pass> make_passes(const std::vector<LoadedSample>& samples, const LoopOptions& loop,
                              int64_t tokens_per_picture) {
  if (loop.packed_length > 0) return full_rows(samples, loop.packed_length, tokens_per_picture);
  return micro_batches(samples.size(), static_cast<size_t>(loop.micro_batch_size));
}

}  // namespace qslaw
