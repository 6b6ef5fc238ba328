#include "dry_run_checks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "assemble.h"
#include "core/error.h"
#include "core/log.h"
#include "eval/benchmark.h"
#include "eval/predictions.h"
#include "eval/question_kinds.h"
#include "eval/question_prompt.h"
#include "eval/questions.h"
#include "export/hf_files.h"
#include "model/lora_folder.h"
#include "preflight.h"
#include "quant/calibration.h"
#include "quant/starting_values.h"
#include "sample_checks.h"
#include "stage_checks.h"
#include "training.h"

namespace qslaw {
namespace {

// Of a benchmark: a picture that is missing would stop it behind all stages before.
constexpr int64_t kMostQuestions = 10000;
constexpr int64_t kSpeedRounds = 2;  // the first is not counted

// What --all-samples and --check-share ask for; nothing when neither is there.
std::optional<Scrutiny> asked_scrutiny(const StageRun& run) {
  const CommandOptions& options = run.experiment.options;
  if (options.all_samples) return Scrutiny{};
  if (options.check_share > 0) return Scrutiny{options.check_share, false};
  return std::nullopt;
}

// In front of check_samples, which then has nothing new to say of bad ones. A run names those that it skips
// when it comes to them.
void look_if_asked(const StageRun& run, int64_t count, const SampleSource& sample, CheckOptions& options) {
  options.log_bad = run.experiment.options.dry_run;
  const auto scrutiny = asked_scrutiny(run);
  if (!scrutiny) return;
  look_at_samples(options, *scrutiny, count, sample);
  options.log_bad = false;
}

// The same with what a plan draws, once each and in the order of the data sets.
void look_at_draws_if_asked(const StageRun& run, const std::vector<const Dataset*>& sources,
                            std::vector<Draw> plan, CheckOptions& options) {
  options.log_bad = run.experiment.options.dry_run;
  if (!asked_scrutiny(run)) return;
  std::sort(plan.begin(), plan.end());
  plan.erase(std::unique(plan.begin(), plan.end()), plan.end());
  const auto sample = [&](int64_t i) {
    const Draw& draw = plan[static_cast<size_t>(i)];
    return sources[static_cast<size_t>(draw.source)]->at(draw.index);
  };
  look_if_asked(run, static_cast<int64_t>(plan.size()), sample, options);
}

void add_samples(DataShape& shape, int64_t count, double mean_tokens, double mean_learned) {
  if (count == 0) return;
  shape.samples += count;
  const double share = static_cast<double>(count) / static_cast<double>(shape.samples);
  shape.mean_tokens += share * (mean_tokens - shape.mean_tokens);
  shape.mean_learned += share * (mean_learned - shape.mean_learned);
}

DataShape check_quantize(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  const QuantizeOptions& options = *recipe.quantize;
  const auto specs = linear_specs(config.language);
  for (const LinearSpec& spec : specs)
    check_group_shape(spec.name, spec.columns, options.bits, options.group_size);
  if (!options.omniquant.start.empty())
    ClippingStart(options.omniquant.start, specs, options.group_size).check_values(specs);
  DataShape shape;
  if (!options.calibration) return shape;
  const Tokenizer tokenizer = load_tokenizer(recipe.model, config);
  const EncodingContext context = encoding_context(tokenizer, recipe.model.template_name, config);
  size_t number = 0;
  for (const CalibrationShare& share : calibration_shares(*options.calibration)) {
    const auto dataset = open_calibration(share, context);
    CheckOptions checks{run.stage, context.tokens_per_picture, share.data.on_bad_sample};
    checks.length_limit = concat("length ", share.data.max_length);
    const auto draws = calibration_draws(share, number++, dataset->size(), recipe.seed);
    look_at_draws_if_asked(run, {dataset.get()}, draws, checks);
    const CheckedSamples checked =
        check_samples(checks, dataset->size(), [&](int64_t i) { return dataset->at(i); });
    add_samples(shape, share.samples, checked.mean_tokens, checked.mean_learned);
    shape.longest = std::max(shape.longest, checked.longest);
  }
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

DataShape check_training(const StageRun& run, const LlavaConfig& config,
                         const std::vector<PhaseOptions>& phases, const LoopOptions& loop,
                         const HeldoutOptions& heldout) {
  const TrainingData data(run, config, phases, loop, {});
  DataShape shape;
  shape.has_pictures = false;
  for (size_t number = 0; number < phases.size(); ++number) {
    const TrainPhase& phase = data.phases()[number];
    const auto draws = static_cast<int64_t>(phase.plan.size());
    CheckOptions checks{run.stage, config.vision.features(), phase.on_bad_sample};
    checks.counted = "samples drawn";
    // Text alone is never too long.
    if (phases[number].pictures)
      checks.length_limit = concat("max_length ", phases[number].pictures->max_length);
    look_at_draws_if_asked(run, phase.sources, phase.plan, checks);
    const CheckedSamples checked = check_samples(checks, draws, [&](int64_t i) {
      const Draw& draw = phase.plan[static_cast<size_t>(i)];
      return phase.sources[static_cast<size_t>(draw.source)]->at(draw.index);
    });
    add_samples(shape, draws, checked.mean_tokens, checked.mean_learned);
    shape.longest = std::max(shape.longest, checked.longest);
    shape.has_pictures |= checked.has_pictures;
    shape.steps += phase.steps;
  }
  if (data.has_pictures() && !shape.has_pictures)
    log_warning(concat(run.stage, ": none of the samples looked at has a picture, without which the ",
                       "projector is not trained"));
  check_heldout(run, config, heldout);
  return shape;
}

// `count` prompts of a benchmark, each followed by up to `new_tokens`.
void add_prompts(DataShape& shape, int64_t count, const CheckedSamples& prompts, int64_t new_tokens,
                 int64_t batch_size) {
  add_samples(shape, count, prompts.mean_tokens + static_cast<double>(new_tokens), prompts.mean_learned);
  const int64_t held = std::min(batch_size, count) * (prompts.longest + new_tokens);
  shape.batch_tokens = std::max(shape.batch_tokens, held);
}

void check_scienceqa(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  const std::vector<ScienceQaProblem> problems = benchmark_problems(benchmark);
  if (problems.empty()) return;
  const auto count = static_cast<int64_t>(problems.size());
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, count};
  const auto sample = [&](int64_t i) {
    const ScienceQaProblem& problem = problems[static_cast<size_t>(i)];
    Sample prompt;
    prompt.id = problem.id;
    prompt.where = scienceqa_place(problem, benchmark);
    prompt.ids = scienceqa_prompt(problem, benchmark, *context.tokenizer, context.template_kind);
    if (!problem.picture.empty()) prompt.pictures.push_back(problem.picture);
    return prompt;
  };
  look_if_asked(run, count, sample, options);
  const CheckedSamples prompts = check_samples(options, count, sample);
  add_prompts(shape, count, prompts, benchmark.max_new_tokens, benchmark.batch_size);
}

void check_questions(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  const auto kept = benchmark_questions(benchmark);
  const std::vector<BenchmarkQuestion>& questions = *kept;
  const auto count = static_cast<int64_t>(questions.size());
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, kMostQuestions};
  const auto sample = [&](int64_t i) {
    return question_sample(questions[static_cast<size_t>(i)], *context.tokenizer, context.template_kind);
  };
  look_if_asked(run, count, sample, options);
  add_prompts(shape, count, check_samples(options, count, sample), benchmark.max_new_tokens,
              benchmark.batch_size);
}

void check_benchmark_data(const StageRun& run, const BenchmarkOptions& benchmark,
                          const EncodingContext& context, DataShape& shape) {
  const auto dataset = make_dataset(benchmark_data(benchmark), context);
  require(dataset->size() > 0, "data", "expected samples in ", benchmark.path.string(), ", got none");
  const bool answers = benchmark.kind == "exact_match";
  QuestionReader questions(*dataset, *context.tokenizer, benchmark.path);
  const int64_t count = benchmark.limit > 0 ? std::min(benchmark.limit, dataset->size()) : dataset->size();
  const auto sample = [&](int64_t i) { return answers ? questions.at(i).prompt.sample : dataset->at(i); };
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, kMostQuestions};
  options.one_by_one = answers;  // the reader remembers the ids before
  options.length_limit = concat("context ", benchmark.context);
  look_if_asked(run, count, sample, options);
  const CheckedSamples prompts = check_samples(options, count, sample);
  add_prompts(shape, count, prompts, answers ? benchmark.max_new_tokens : 0, benchmark.batch_size);
}

void check_benchmark(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  if (benchmark.kind == "scienceqa") return check_scienceqa(run, benchmark, context, shape);
  if (is_question_kind(benchmark.kind)) return check_questions(run, benchmark, context, shape);
  if (has_data(benchmark)) return check_benchmark_data(run, benchmark, context, shape);
  const auto tokens = static_cast<double>(benchmark.prompt_tokens);
  add_prompts(shape, kSpeedRounds, {1, benchmark.prompt_tokens, tokens, 0.0}, benchmark.new_tokens, 1);
}

DataShape check_eval(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  DataShape shape;
  std::unique_ptr<Tokenizer> tokenizer;
  if (needs_model(*recipe.eval))
    tokenizer = std::make_unique<Tokenizer>(load_tokenizer(recipe.model, config));
  for (const BenchmarkOptions& benchmark : recipe.eval->benchmarks) {
    if (!needs_model(benchmark)) {
      if (is_question_kind(benchmark.kind)) {
        read_predictions(benchmark.predictions, *benchmark_questions(benchmark));
      } else {
        read_predictions(benchmark.predictions, benchmark_problems(benchmark));
      }
      continue;
    }
    const auto& name = benchmark.template_name.empty() ? recipe.model.template_name : benchmark.template_name;
    check_benchmark(run, benchmark, encoding_context(*tokenizer, name, config), shape);
  }
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
  return run.stage == "eval" ? check_eval(run, config) : DataShape{};
}

}  // namespace qslaw
