#include "model/dataset_loss.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "model/nonfinite.h"

namespace qslaw {
namespace {

std::vector<SampleLoss> measure(const Llava& model, const std::vector<LoadedSample>& samples) {
  const Batch batch = collate(samples, model.config.vision.features(), model.config.pad_token_id);
  const SampleSums sums = sum_by_sample(token_losses(model, batch), samples.size());
  std::vector<SampleLoss> losses;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!std::isfinite(sums.nll[i])) fail_nonfinite("losses", model, batch, i);
    losses.push_back({samples[i].sample.id, sums.tokens[i], sums.nll[i]});
  }
  return losses;
}

}  // namespace

SampleSums sum_by_sample(const TokenLosses& losses, size_t samples) {
  SampleSums sums{std::vector<double>(samples, 0.0), std::vector<int64_t>(samples, 0)};
  const at::Tensor nll = losses.nll_M.detach().cpu(), rows = losses.rows_M.contiguous();
  for (int64_t i = 0; i < nll.numel(); ++i) {
    const auto row = static_cast<size_t>(rows.const_data_ptr<int64_t>()[i]);
    sums.nll[row] += nll.const_data_ptr<float>()[i];
    sums.tokens[row] += 1;
  }
  return sums;
}

int64_t DatasetLoss::tokens() const {
  int64_t sum = 0;
  for (const SampleLoss& sample : samples)
    sum += sample.tokens;
  return sum;
}

double DatasetLoss::mean() const {
  double nll = 0.0;
  for (const SampleLoss& sample : samples)
    nll += sample.nll;
  const int64_t count = tokens();
  return count > 0 ? nll / static_cast<double>(count) : 0.0;
}

double DatasetLoss::sample_mean() const {
  double sum = 0.0;
  for (const SampleLoss& sample : samples)
    sum += sample.tokens > 0 ? sample.nll / static_cast<double>(sample.tokens) : 0.0;
  return samples.empty() ? 0.0 : sum / static_cast<double>(samples.size());
}

DatasetLoss dataset_loss(const Llava& model, const Dataset& dataset, const ImageTransform& transform,
                         const DatasetLossOptions& options) {
  at::NoGradGuard no_grad;
  const int64_t count = options.limit > 0 ? std::min(options.limit, dataset.size()) : dataset.size();
  std::vector<Draw> plan;
  for (int64_t i = 0; i < count; ++i)
    plan.push_back({0, i});
  const MeasuredBatch before = options.measured.empty() ? MeasuredBatch{} : options.measured.back();
  LoaderOptions loading;
  loading.on_bad_sample = options.on_bad_sample;
  loading.replace_skipped = false;
  Loader loader({&dataset}, plan, before.position, transform, loading);
  DatasetLoss total;
  for (const MeasuredBatch& batch : options.measured)
    total.samples.insert(total.samples.end(), batch.samples.begin(), batch.samples.end());
  total.skipped = before.skipped;
  for (;;) {
    if (stop_requested()) throw Stopped("stopped while measuring; --resume goes on with it");
    const auto samples = loader.next(options.batch_size);
    total.skipped += static_cast<int64_t>(loader.take_noted().skipped.size());
    if (samples.empty()) break;
    const MeasuredBatch batch{measure(model, samples), loader.position(), total.skipped};
    total.samples.insert(total.samples.end(), batch.samples.begin(), batch.samples.end());
    if (options.on_batch) options.on_batch(batch);
  }
  require(!total.samples.empty() || count == 0, "data", "expected a good sample to measure, got ",
          total.skipped, " bad ones");
  return total;
}

}  // namespace qslaw
