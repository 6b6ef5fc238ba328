// Mean negative log likelihood over a data set: held-out measurements during training, and the `loss` and
// `text_perplexity` benchmarks.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/image_transform.h"
#include "data/loader.h"
#include "model/llava.h"

namespace qslaw {

struct SampleLoss {
  std::string id;
  int64_t tokens = 0;  // learned ones
  double nll = 0.0;    // their sum
};

/// What was measured at once, and where that leaves the measurement.
struct MeasuredBatch {
  std::vector<SampleLoss> samples;
  int64_t position = 0;  // samples of the data set behind, bad ones included
  int64_t skipped = 0;   // bad ones so far
};

struct DatasetLoss {
  std::vector<SampleLoss> samples;
  int64_t skipped = 0;  // bad samples left out, none of them in another number
  /// Learned tokens of all samples.
  int64_t tokens() const;
  /// Mean over all learned tokens; 0 without any.
  double mean() const;
  /// Mean of each sample's own mean; 0 without samples.
  double sample_mean() const;
};

struct DatasetLossOptions {
  int64_t batch_size = 8;
  int64_t limit = 0;  // samples from the start; 0 = all
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
  std::vector<MeasuredBatch> measured = {};  // by a measurement that was stopped; this one goes on behind it
  /// Called with each further batch.
  std::function<void(const MeasuredBatch&)> on_batch = {};
};

/// UserError for a bad sample unless they are skipped, where no sample is good, and for a loss that is not
/// finite. Throws Stopped when a stop was asked for. The same numbers, bit for bit, whether stopped or not.
DatasetLoss dataset_loss(const Llava& model, const Dataset& dataset, const ImageTransform& transform,
                         const DatasetLossOptions& options);

/// Per-sample sums of a batch's token losses, on the host.
struct SampleSums {
  std::vector<double> nll;
  std::vector<int64_t> tokens;
};
SampleSums sum_by_sample(const TokenLosses& losses, size_t samples);

}  // namespace qslaw
