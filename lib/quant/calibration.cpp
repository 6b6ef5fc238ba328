#include "quant/calibration.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/random.h"
#include "data/loader.h"

namespace qslaw {
namespace {

std::vector<LoadedSample> draw_samples(const CalibrationShare& share, size_t number,
                                       const EncodingContext& context, const ImageTransform& transform,
                                       uint64_t seed) {
  const auto dataset = open_calibration(share, context);
  LoaderOptions options;
  options.on_bad_sample = share.data.on_bad_sample;
  Loader loader({dataset.get()}, calibration_draws(share, number, dataset->size(), seed), 0, transform,
                options);
  return loader.next(share.samples);
}

// a0 b0 a1 b1 ...; a longer one's rest at the end.
std::vector<LoadedSample> interleave(std::vector<std::vector<LoadedSample>> parts) {
  size_t longest = 0;
  for (const auto& part : parts)
    longest = std::max(longest, part.size());
  std::vector<LoadedSample> out;
  for (size_t i = 0; i < longest; ++i) {
    for (auto& part : parts) {
      if (i < part.size()) out.push_back(std::move(part[i]));
    }
  }
  return out;
}

}  // namespace

std::vector<CalibrationShare> calibration_shares(const CalibrationOptions& options) {
  std::vector<CalibrationShare> shares = {{options.data, options.samples}};
  if (options.data.kind == "mix") {
    const int64_t texts = options.samples / 2;
    shares = {{*options.text, texts}, {*options.pictures, options.samples - texts}};
  }
  for (CalibrationShare& share : shares)
    share.data.max_length = options.length;
  return shares;
}

std::unique_ptr<Dataset> open_calibration(const CalibrationShare& share, EncodingContext context) {
  context.supervised = false;
  auto dataset = make_dataset(share.data, context);
  const auto& path = share.data.path.empty() ? share.data.problems : share.data.path;
  require(dataset->size() >= share.samples, "quantize", "expected at least ", share.samples,
          " calibration samples in ", path.string(), ", got ", dataset->size());
  return dataset;
}

std::vector<Draw> calibration_draws(const CalibrationShare& share, size_t number, int64_t size,
                                    uint64_t seed) {
  return plan_single(size, share.samples, mix_seed(seed, number + 1));
}

std::vector<Batch> calibration_batches(const CalibrationOptions& options, const EncodingContext& context,
                                       const ImageTransform& transform, int64_t batch_size, int64_t pad_id,
                                       uint64_t seed) {
  std::vector<std::vector<LoadedSample>> drawn;
  for (const CalibrationShare& share : calibration_shares(options))
    drawn.push_back(draw_samples(share, drawn.size(), context, transform, seed));
  const std::vector<LoadedSample> samples = interleave(std::move(drawn));
  std::vector<Batch> batches;
  for (size_t i = 0; i < samples.size(); i += static_cast<size_t>(batch_size)) {
    const size_t end = std::min(samples.size(), i + static_cast<size_t>(batch_size));
    batches.push_back(collate({samples.begin() + static_cast<std::ptrdiff_t>(i),
                               samples.begin() + static_cast<std::ptrdiff_t>(end)},
                              context.tokens_per_picture, pad_id));
  }
  return batches;
}

}  // namespace qslaw
