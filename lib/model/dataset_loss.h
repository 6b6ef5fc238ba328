// Mean negative log likelihood over a data set: held-out measurements during training, and the `loss` and
// `text_perplexity` benchmarks.
#pragma once
#include <functional>
#include <string>

#include "data/image_transform.h"
#include "data/loader.h"
#include "model/llava.h"

namespace qslaw {

/// Sums over the learned tokens of all samples.
struct DatasetLoss {
  double nll = 0.0;
  int64_t tokens = 0;
  int64_t samples = 0;
  int64_t skipped = 0;  // bad samples left out, none of them in another number
  double mean() const { return tokens > 0 ? nll / static_cast<double>(tokens) : 0.0; }
  /// Mean of each sample's own mean.
  double sample_mean = 0.0;
};

struct DatasetLossOptions {
  int64_t batch_size = 8;
  int64_t limit = 0;  // samples from the start; 0 = all
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
  /// Called per sample, in order, with its id, learned tokens and summed NLL.
  std::function<void(const std::string& id, int64_t tokens, double nll)> on_sample;
};

/// UserError for a bad sample unless they are skipped, where no sample is good, and for a loss that is not
/// finite.
DatasetLoss dataset_loss(const Llava& model, const Dataset& dataset, const ImageTransform& transform,
                         const DatasetLossOptions& options);

/// Per-sample sums of a batch's token losses, on the host.
struct SampleSums {
  std::vector<double> nll;
  std::vector<int64_t> tokens;
};
SampleSums sum_by_sample(const TokenLosses& losses, size_t samples);

}  // namespace qslaw
