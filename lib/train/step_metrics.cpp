#include "train/step_metrics.h"

#include <ATen/ATen.h>

namespace qslaw {

void StepMetrics::add(const Batch& batch, const SampleSums& sums) {
  for (size_t i = 0; i < sums.nll.size(); ++i) {
    Sum& sum = batch.is_text[i] ? text_ : picture_;
    sum.nll += sums.nll[i];
    sum.learned += sums.tokens[i];
    sum.samples += 1;
  }
  tokens_ += batch.lengths_B.sum().item<int64_t>();
}

double StepMetrics::loss() const {
  const int64_t learned = picture_.learned + text_.learned;
  return learned > 0 ? (picture_.nll + text_.nll) / static_cast<double>(learned) : 0.0;
}

nlohmann::json StepMetrics::to_json() const {
  nlohmann::json line = {
      {"loss", loss()}, {"samples_picture", picture_.samples}, {"samples_text", text_.samples}};
  if (picture_.learned > 0) line["loss_picture"] = picture_.nll / static_cast<double>(picture_.learned);
  if (text_.learned > 0) line["loss_text"] = text_.nll / static_cast<double>(text_.learned);
  return line;
}

}  // namespace qslaw
