#include <ATen/ATen.h>

#include "core/log.h"
#include "core/text.h"
#include "quant/scale_linear.h"
#include "stage_checks.h"
#include "stages.h"
#include "training.h"

namespace qslaw {
namespace {

constexpr int64_t kHistogramBins = 40;

ParameterGroup gamma_group(const std::vector<ScaleLinear*>& layers, const OptimizerOptions& options) {
  ParameterGroup group{"gamma", options.lr, options.weight_decay, {}};
  for (ScaleLinear* layer : layers)
    group.tensors.emplace_back(layer->spec().name + ".gamma", layer->gamma());
  return group;
}

// Distribution of gamma over one decoder block.
nlohmann::json gamma_row(int64_t layer, const std::vector<ScaleLinear*>& layers) {
  std::vector<at::Tensor> parts;
  for (ScaleLinear* linear : layers) {
    if (linear->spec().layer == layer) parts.push_back(linear->gamma().detach().flatten().cpu());
  }
  const at::Tensor gamma = std::get<0>(at::cat(parts).sort());
  const auto quantile = [&](double q) {
    return gamma[static_cast<int64_t>(q * static_cast<double>(gamma.numel() - 1))].item<double>();
  };
  const double low = quantile(0), high = quantile(1);
  const at::Tensor counts =
      at::histc(gamma, kHistogramBins, low, high > low ? high : low + 1e-6).to(at::kLong);
  nlohmann::json row = {{"layer", layer},
                        {"min", low},
                        {"p05", quantile(0.05)},
                        {"median", quantile(0.5)},
                        {"p95", quantile(0.95)},
                        {"max", high},
                        {"mean", gamma.mean().item<double>()}};
  row["histogram"] = {{"low", low}, {"high", high}, {"counts", nlohmann::json::array()}};
  for (int64_t i = 0; i < kHistogramBins; ++i)
    row["histogram"]["counts"].push_back(counts[i].item<int64_t>());
  return row;
}

void report_gamma(const std::vector<ScaleLinear*>& layers, nlohmann::json& results) {
  double changed = 0.0, weights = 0.0;
  int64_t last_layer = -1;
  for (ScaleLinear* layer : layers) {
    const double count = static_cast<double>(layer->spec().rows * layer->spec().columns);
    changed += layer->changed_share() * count;
    weights += count;
    if (layer->spec().layer == last_layer) continue;
    last_layer = layer->spec().layer;
    results["gamma"].push_back(gamma_row(last_layer, layers));
  }
  results["codes_changed_share"] = changed / weights;
}

void write_gamma(const std::filesystem::path& path, const std::vector<ScaleLinear*>& layers) {
  NamedTensors tensors;
  for (ScaleLinear* layer : layers)
    tensors.emplace_back(layer->spec().name + ".gamma", layer->gamma());
  write_safetensors(path, tensors, {{"qslaw_gamma", "1"}});
}

void learn_scales(const StageRun& run, const LlavaConfig& config, const std::vector<ScaleLinear*>& scaled,
                  Llava& model, StageReport& report) {
  const WarmupOptions& options = *run.experiment.recipe.warmup;
  const TrainingData data(run, config, options.phases, options.loop, options.heldout);
  TrainTask task = make_task(run, data, model, options.optimizer, options.loop, options.heldout);
  task.groups.push_back(gamma_group(scaled, options.optimizer));
  const double projector_lr =
      options.optimizer.projector_lr > 0 ? options.optimizer.projector_lr : options.optimizer.lr;
  if (options.train_projector && data.has_pictures())
    task.groups.push_back(projector_group(model, projector_lr));
  log_info(concat("warmup: ", count_parameters(task.groups), " parameters over ", scaled.size(), " linears"));
  const TrainResult result = train(task, run.resume);
  report_training(run, task, result, model, report);
}

}  // namespace

void run_warmup(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const WarmupOptions& options = *experiment.recipe.warmup;
  const LlavaConfig config = read_config(experiment.recipe.model.source);
  const Artifacts artifacts = collect_artifacts(experiment, run.stage);
  require_warmup_base(packed_base(artifacts), options, config);
  const auto packed = read_packed(config, artifacts);

  std::optional<GammaStart> start;
  if (!options.start.empty())
    start.emplace(options.start, linear_specs(config.language), packed->group_size, options.first_layer);
  std::vector<ScaleLinear*> scaled;
  Llava model = load_base(experiment, config, artifacts,
                          scale_maker(*packed, options.first_layer, experiment.device, scaled));
  if (start) begin_with(*start, scaled);
  if (options.phases.empty()) {
    report.results["steps"] = 0;
    report.memory.weights = model_bytes(model);
  } else {
    learn_scales(run, config, scaled, model, report);
  }

  report_gamma(scaled, report.results);
  write_gamma(run.folder / "gamma.safetensors", scaled);
  write_safetensors(run.folder / "projector.safetensors", projector_to_named(model.projector));
  write_packed_language(run.folder / "language.safetensors", fold_scales(*packed, scaled));
  add_file_hashes(report, run.folder, {"gamma.safetensors", "projector.safetensors", "language.safetensors"});
}

}  // namespace qslaw
