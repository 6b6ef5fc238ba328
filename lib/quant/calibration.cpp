#include "quant/calibration.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/random.h"
#include "data/loader.h"

namespace qslaw {
namespace {

std::vector<LoadedSample> draw_samples(DataOptions data, int64_t count, int64_t length,
                                       const EncodingContext& context, const ImageTransform& transform,
                                       uint64_t seed) {
  data.max_length = length;
  const auto dataset = make_dataset(data, context);
  require(dataset->size() >= count, "quantize", "expected at least ", count, " calibration samples in ",
          data.path.string(), ", got ", dataset->size());
  LoaderOptions options;
  options.on_bad_sample = data.on_bad_sample;
  Loader loader({dataset.get()}, plan_single(dataset->size(), count, seed), 0, transform, options);
  return loader.next(count);
}

// a0 b0 a1 b1 ...; the longer one's rest at the end.
std::vector<LoadedSample> interleave(std::vector<LoadedSample> a, std::vector<LoadedSample> b) {
  std::vector<LoadedSample> out;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i < a.size()) out.push_back(std::move(a[i]));
    if (i < b.size()) out.push_back(std::move(b[i]));
  }
  return out;
}

}  // namespace

std::vector<Batch> calibration_batches(const CalibrationOptions& options, const EncodingContext& context,
                                       const ImageTransform& transform, int64_t batch_size, int64_t pad_id,
                                       uint64_t seed) {
  const auto draw = [&](const DataOptions& data, int64_t count, uint64_t stream) {
    return draw_samples(data, count, options.length, context, transform, mix_seed(seed, stream));
  };
  std::vector<LoadedSample> samples;
  if (options.data.kind == "mix") {
    const int64_t texts = options.samples / 2;
    samples = interleave(draw(*options.text, texts, 1), draw(*options.pictures, options.samples - texts, 2));
  } else {
    samples = draw(options.data, options.samples, 1);
  }
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
