// Sums of one optimizer step, for metrics.jsonl.
#pragma once
#include <nlohmann/json.hpp>

#include "data/batch.h"
#include "model/dataset_loss.h"

namespace qslaw {

/// Loss and sample counts by modality over the passes of a step.
class StepMetrics {
 public:
  void add(const Batch& batch, const SampleSums& sums);
  /// Mean NLL over all learned tokens.
  double loss() const;
  int64_t tokens() const { return tokens_; }
  bool has_pictures() const { return picture_.samples > 0; }
  /// loss, loss_picture, loss_text, samples_picture, samples_text.
  nlohmann::json to_json() const;

 private:
  struct Sum {
    double nll = 0.0;
    int64_t learned = 0;
    int64_t samples = 0;
  };
  Sum picture_, text_;
  int64_t tokens_ = 0;
};

}  // namespace qslaw
