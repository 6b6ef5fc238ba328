// `loss`: mean NLL of the answers' tokens. `text_perplexity`: the same over plain text, as a perplexity.
#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "eval/benchmark.h"
#include "eval/predictions.h"
#include "model/dataset_loss.h"

namespace qslaw {
namespace {

DatasetLoss measure(const BenchmarkOptions& options, const EvalContext& context) {
  PredictionsFile predictions(context.predictions, result_name(options));
  const EncodingContext encoding{context.tokenizer, benchmark_template(options, context),
                                 context.model->config.vision.features()};
  const auto dataset = make_dataset(benchmark_data(options), encoding);
  DatasetLossOptions loss;
  loss.batch_size = options.batch_size;
  loss.limit = options.limit;
  loss.on_bad_sample = options.on_bad_sample;
  loss.on_sample = [&](const std::string& id, int64_t tokens, double nll) {
    predictions.write({{"id", id}, {"tokens", tokens}, {"nll", nll}});
  };
  const DatasetLoss total = dataset_loss(*context.model, *dataset, context.transform, loss);
  predictions.finish();
  return total;
}

}  // namespace

nlohmann::json run_loss(const BenchmarkOptions& options, const EvalContext& context) {
  const DatasetLoss loss = measure(options, context);
  return {{"loss", loss.mean()},
          {"sample_loss", loss.sample_mean},
          {"n", loss.samples},
          {"tokens", loss.tokens},
          {"skipped", loss.skipped}};
}

nlohmann::json run_text_perplexity(const BenchmarkOptions& options, const EvalContext& context) {
  const DatasetLoss loss = measure(options, context);
  return {{"perplexity", std::exp(loss.mean())},
          {"loss", loss.mean()},
          {"tokens", loss.tokens},
          {"context", options.context}};
}

}  // namespace qslaw
