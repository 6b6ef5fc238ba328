#include "model/dataset_loss.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "model/nonfinite.h"

namespace qslaw {

SampleSums sum_by_sample(const TokenLosses& losses, size_t samples) {
  SampleSums sums{std::vector<double>(samples, 0.0), std::vector<int64_t>(samples, 0)};
  const at::Tensor nll = losses.nll_M.detach().cpu(), rows = losses.rows_M.cpu().contiguous();
  for (int64_t i = 0; i < nll.numel(); ++i) {
    const auto row = static_cast<size_t>(rows.const_data_ptr<int64_t>()[i]);
    sums.nll[row] += nll.const_data_ptr<float>()[i];
    sums.tokens[row] += 1;
  }
  return sums;
}

DatasetLoss dataset_loss(const Llava& model, const Dataset& dataset, const ImageTransform& transform,
                         const DatasetLossOptions& options) {
  at::NoGradGuard no_grad;
  const int64_t count = options.limit > 0 ? std::min(options.limit, dataset.size()) : dataset.size();
  std::vector<Draw> plan;
  for (int64_t i = 0; i < count; ++i)
    plan.push_back({0, i});
  LoaderOptions loading;
  loading.on_bad_sample = options.on_bad_sample;
  loading.replace_skipped = false;
  Loader loader({&dataset}, plan, 0, transform, loading);
  DatasetLoss total;
  for (;;) {
    if (stop_requested()) throw Stopped("the measurement was stopped");
    const auto samples = loader.next(options.batch_size);
    if (samples.empty()) break;
    const Batch batch = collate(samples, model.config.vision.features(), model.config.pad_token_id);
    const SampleSums sums = sum_by_sample(token_losses(model, batch), samples.size());
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!std::isfinite(sums.nll[i])) fail_nonfinite("losses", model, batch, i);
      total.nll += sums.nll[i];
      total.tokens += sums.tokens[i];
      total.sample_mean += sums.tokens[i] > 0 ? sums.nll[i] / static_cast<double>(sums.tokens[i]) : 0.0;
      total.samples += 1;
      if (options.on_sample) options.on_sample(samples[i].sample.id, sums.tokens[i], sums.nll[i]);
    }
  }
  total.skipped = loader.skipped();
  require(total.samples > 0 || count == 0, "data", "expected a good sample to measure, got ", total.skipped,
          " bad ones");
  if (total.samples > 0) total.sample_mean /= static_cast<double>(total.samples);
  return total;
}

}  // namespace qslaw
