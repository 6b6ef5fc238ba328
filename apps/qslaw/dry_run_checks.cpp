#include "dry_run_checks.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "asked_checks.h"
#include "assemble.h"
#include "benchmark_checks.h"
#include "core/error.h"
#include "core/log.h"
#include "export/hf_files.h"
#include "model/lora_folder.h"
#include "preflight.h"
#include "quant/calibration.h"
#include "quant/starting_values.h"
#include "stage_checks.h"
#include "training.h"

namespace qslaw {
namespace {

// look_if_asked for what a plan draws, once each and in the order of the data sets.
void look_at_draws_if_asked(const StageRun& run, const std::vector<const Dataset*>& sources,
                            std::vector<Draw> plan, CheckOptions& options) {
  options.log_bad = run.experiment.options.dry_run;
  if (!asks_for_more(run)) return;
  std::sort(plan.begin(), plan.end());
  plan.erase(std::unique(plan.begin(), plan.end()), plan.end());
  const auto sample = [&](int64_t i) {
    const Draw& draw = plan[static_cast<size_t>(i)];
    return sources[static_cast<size_t>(draw.source)]->at(draw.index);
  };
  look_if_asked(run, static_cast<int64_t>(plan.size()), sample, options);
}

void check_shapes(const QuantizeOptions& options, const std::vector<LinearSpec>& specs) {
  for (const LinearSpec& spec : specs)
    check_group_shape(spec.name, spec.columns, options.bits, options.group_size);
  if (!options.omniquant.start.empty())
    ClippingStart(options.omniquant.start, specs, options.group_size).check_values(specs);
}

// The `number`-th source of calibration samples.
void check_calibration(const StageRun& run, const CalibrationShare& share, size_t number,
                       const EncodingContext& context, DataShape& shape) {
  const auto dataset = open_calibration(share, context);
  CheckOptions checks{run.stage, context.tokens_per_picture, share.data.on_bad_sample};
  checks.length_limit = concat("length ", share.data.max_length);
  const auto draws = calibration_draws(share, number, dataset->size(), run.experiment.recipe.seed);
  look_at_draws_if_asked(run, {dataset.get()}, draws, checks);
  const CheckedSamples checked =
      check_samples(checks, dataset->size(), [&](int64_t i) { return dataset->at(i); });
  add_samples(shape, share.samples, checked.mean_tokens, checked.mean_learned);
  shape.longest = std::max(shape.longest, checked.longest);
}

DataShape check_quantize(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  const QuantizeOptions& options = *recipe.quantize;
  check_shapes(options, linear_specs(config.language));
  DataShape shape;
  if (!options.calibration) return shape;
  const Tokenizer tokenizer = load_tokenizer(recipe.model, config);
  const EncodingContext context = encoding_context(tokenizer, recipe.model.template_name, config);
  size_t number = 0;
  for (const CalibrationShare& share : calibration_shares(*options.calibration))
    check_calibration(run, share, number++, context, shape);
  return shape;
}

void check_gamma_start(const StageRun& run, const LlavaConfig& config) {
  const WarmupOptions& options = *run.experiment.recipe.warmup;
  if (options.start.empty()) return;
  const auto specs = linear_specs(config.language);
  GammaStart(options.start, specs, warmup_group_size(run.experiment), options.first_layer)
      .check_values(specs);
}

// Behind the stages that do not look at it, which may take hours.
void check_given_adapter(const Recipe& recipe, const LlavaConfig& config) {
  if (!recipe.model.adapter.empty()) LoraFolder(recipe.model.adapter, config).check_values();
}

void check_dataset(const StageRun& run, const DataOptions& options, const EncodingContext& context) {
  const auto dataset = make_dataset(options, context);
  const auto& path = options.path.empty() ? options.problems : options.path;
  require(dataset->size() > 0, "data", "expected samples in ", path.string(), ", got none");
  const auto sample = [&](int64_t i) { return dataset->at(i); };
  CheckOptions checks{run.stage, context.tokens_per_picture, options.on_bad_sample};
  checks.length_limit = concat("max_length ", options.max_length);
  look_if_asked(run, dataset->size(), sample, checks);
  check_samples(checks, dataset->size(), sample);
}

void check_heldout(const StageRun& run, const LlavaConfig& config, const HeldoutOptions& heldout) {
  const ModelOptions& model = run.experiment.recipe.model;
  const Tokenizer tokenizer = load_tokenizer(model, config);
  const EncodingContext context = encoding_context(tokenizer, model.template_name, config);
  for (const auto* options : {&heldout.text, &heldout.pictures}) {
    if (*options) check_dataset(run, **options, context);
  }
}

void check_phase(const StageRun& run, const PhaseOptions& options, const TrainPhase& phase,
                 int64_t tokens_per_picture, DataShape& shape) {
  const auto draws = static_cast<int64_t>(phase.plan.size());
  CheckOptions checks{run.stage, tokens_per_picture, phase.on_bad_sample};
  checks.counted = "samples drawn";
  const auto draw = [&](int64_t i) -> const Draw& { return phase.plan[static_cast<size_t>(i)]; };
  checks.before = [&](int64_t a, int64_t b) { return draw(a) < draw(b); };  // as in the data sets
  // Text alone is never too long.
  if (options.pictures) checks.length_limit = concat("max_length ", options.pictures->max_length);
  look_at_draws_if_asked(run, phase.sources, phase.plan, checks);
  const CheckedSamples checked = check_samples(checks, draws, [&](int64_t i) {
    return phase.sources[static_cast<size_t>(draw(i).source)]->at(draw(i).index);
  });
  add_samples(shape, draws, checked.mean_tokens, checked.mean_learned);
  shape.longest = std::max(shape.longest, checked.longest);
  shape.has_pictures |= checked.has_pictures;
  shape.steps += phase.steps;
}

DataShape check_training(const StageRun& run, const LlavaConfig& config,
                         const std::vector<PhaseOptions>& phases, const LoopOptions& loop,
                         const HeldoutOptions& heldout) {
  const TrainingData data(run, config, phases, loop, {});
  DataShape shape;
  shape.has_pictures = false;
  for (size_t number = 0; number < phases.size(); ++number)
    check_phase(run, phases[number], data.phases()[number], config.vision.features(), shape);
  if (data.has_pictures() && !shape.has_pictures)
    log_warning(concat(run.stage, ": none of the samples looked at has a picture, without which the ",
                       "projector is not trained"));
  check_heldout(run, config, heldout);
  return shape;
}

}  // namespace

DataShape check_stage_data(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  if (run.stage == "quantize") return check_quantize(run, config);
  if (puts_adapter_on(run.stage) && needs_model(run.experiment, {run.stage}))
    check_given_adapter(recipe, config);
  if (run.stage == "export") check_companion_files(recipe.model.source);
  if (run.stage == "warmup") {
    check_gamma_start(run, config);
    return check_training(run, config, recipe.warmup->phases, recipe.warmup->loop, recipe.warmup->heldout);
  }
  if (run.stage == "tune")
    return check_training(run, config, {recipe.tune->phase}, recipe.tune->loop, recipe.tune->heldout);
  return run.stage == "eval" ? check_benchmarks(run, config) : DataShape{};
}

}  // namespace qslaw
