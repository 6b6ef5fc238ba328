// `loss`: mean NLL of the answers' tokens. `text_perplexity`: the same over plain text, as a perplexity.
#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "core/progress.h"
#include "eval/accuracy.h"
#include "eval/batch_store.h"
#include "eval/benchmark.h"
#include "eval/interval.h"
#include "eval/predictions.h"

namespace qslaw {
namespace {

void write_predictions(const DatasetLoss& loss, const BenchmarkOptions& options, const EvalContext& context) {
  PredictionsFile predictions(context.predictions, result_name(options));
  for (const SampleLoss& sample : loss.samples)
    predictions.write({{"id", sample.id}, {"tokens", sample.tokens}, {"nll", sample.nll}});
  predictions.finish();
}

DatasetLoss measure(const BenchmarkOptions& options, const EvalContext& context, const char* unit) {
  const EncodingContext encoding{context.tokenizer, benchmark_template(options, context),
                                 context.model->config.vision.features()};
  const auto dataset = make_dataset(benchmark_data(options), encoding);
  const LossStore store(context.answers, result_name(options));
  DatasetLossOptions loss;
  loss.batch_size = options.batch_size;
  loss.limit = options.limit;
  loss.on_bad_sample = options.on_bad_sample;
  loss.measured = store.found();
  const int64_t all = dataset->size(), count = options.limit > 0 ? std::min(options.limit, all) : all;
  Progress progress(result_name(options), count, unit,
                    loss.measured.empty() ? 0 : loss.measured.back().position);
  loss.on_batch = [&](const MeasuredBatch& batch) {
    store.add(batch);
    progress.update(batch.position);
  };
  DatasetLoss total = dataset_loss(*context.model, *dataset, context.transform, loss);
  write_predictions(total, options, context);
  return total;
}

// Of the mean over all tokens.
std::optional<Interval> interval_of(const DatasetLoss& loss, uint64_t seed) {
  std::vector<RatioPart> parts;
  for (const SampleLoss& sample : loss.samples)
    parts.push_back({sample.nll, static_cast<double>(sample.tokens)});
  return bootstrap_ratio_interval({parts}, seed);
}

}  // namespace

nlohmann::json run_loss(const BenchmarkOptions& options, const EvalContext& context) {
  const DatasetLoss loss = measure(options, context, "samples");
  nlohmann::json result = {{"loss", loss.mean()},
                           {"sample_loss", loss.sample_mean()},
                           {"n", loss.samples.size()},
                           {"tokens", loss.tokens()},
                           {"skipped", loss.skipped}};
  add_interval(result, "loss", interval_of(loss, interval_seed(options, context)));
  return result;
}

nlohmann::json run_text_perplexity(const BenchmarkOptions& options, const EvalContext& context) {
  const DatasetLoss loss = measure(options, context, "windows");
  nlohmann::json result = {{"perplexity", std::exp(loss.mean())},
                           {"loss", loss.mean()},
                           {"n", loss.samples.size()},
                           {"tokens", loss.tokens()},
                           {"context", options.context},
                           {"windows", options.windows}};
  if (options.windows == "sliding") result["stride"] = options.stride;
  std::optional<Interval> interval = interval_of(loss, interval_seed(options, context));
  if (interval) interval = Interval{std::exp(interval->low), std::exp(interval->high)};
  add_interval(result, "perplexity", interval);
  return result;
}

}  // namespace qslaw
