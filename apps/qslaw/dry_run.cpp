// --dry-run: everything that can be checked without computing, the complete recipe, and what each stage will
// need.
#include <ATen/ATen.h>

#include <chrono>
#include <filesystem>
#include <iostream>

#include "assemble.h"
#include "commands.h"
#include "core/error.h"
#include "core/log.h"
#include "data/scienceqa.h"
#include "eval/benchmark.h"
#include "recipe/estimate.h"
#include "report/table.h"
#include "stages.h"
#include "training.h"

namespace qslaw {
namespace {

constexpr int64_t kCheckedSamples = 500;  // per data set and stage
constexpr size_t kShownProblems = 20;

// Token statistics of some of a phase's draws, and what is wrong with them.
struct PhaseCheck {
  DataShape shape;
  std::vector<std::string> problems;
};

void check_draws(const TrainPhase& phase, int64_t tokens_per_picture, PhaseCheck& check) {
  const auto draws = static_cast<int64_t>(phase.plan.size());
  const int64_t step = std::max<int64_t>(1, draws / kCheckedSamples);
  double tokens = 0.0, learned = 0.0;
  int64_t checked = 0;
  for (int64_t i = 0; i < draws; i += step) {
    const Draw& draw = phase.plan[static_cast<size_t>(i)];
    try {
      const Sample sample = phase.sources[static_cast<size_t>(draw.source)]->at(draw.index);
      const auto pictures = static_cast<int64_t>(sample.pictures.size());
      for (const auto& picture : sample.pictures)
        check_image_header(picture);
      const int64_t length = static_cast<int64_t>(sample.ids.size()) + pictures * (tokens_per_picture - 1);
      check.shape.longest = std::max(check.shape.longest, length);
      tokens += static_cast<double>(length);
      for (int64_t label : sample.labels)
        learned += label != kIgnoreLabel;
      ++checked;
    } catch (const UserError& problem) {
      check.problems.emplace_back(problem.what());
    }
  }
  if (checked == 0) return;
  const double share = static_cast<double>(draws) / static_cast<double>(checked);
  const double before = static_cast<double>(check.shape.samples);
  check.shape.samples += draws;
  const double after = static_cast<double>(check.shape.samples);
  check.shape.mean_tokens = (check.shape.mean_tokens * before + tokens * share) / after;
  check.shape.mean_learned = (check.shape.mean_learned * before + learned * share) / after;
}

void require_no_problems(const std::string& stage, const std::vector<std::string>& problems,
                         BadSamplePolicy policy) {
  for (size_t i = 0; i < std::min(problems.size(), kShownProblems); ++i)
    log_warning(problems[i]);
  if (problems.size() > kShownProblems)
    log_warning(concat("... and ", problems.size() - kShownProblems, " more"));
  require(problems.empty() || policy == BadSamplePolicy::skip, stage, "expected sound samples, got ",
          problems.size(),
          " bad ones among those checked, first: ", problems.empty() ? "" : problems.front());
}

DataShape check_training(const StageRun& run, const LlavaConfig& config,
                         const std::vector<PhaseOptions>& phases, const LoopOptions& loop,
                         const HeldoutOptions& heldout) {
  const TrainingData data(run, config, phases, loop, heldout);
  PhaseCheck check;
  for (const TrainPhase& phase : data.phases()) {
    check_draws(phase, config.vision.features(), check);
    require_no_problems(run.stage, check.problems, phase.on_bad_sample);
  }
  return check.shape;
}

// Opens a data set that a stage only reads once, which finds what is missing or malformed.
void check_opens(const DataOptions& options, const EncodingContext& context) {
  require(make_dataset(options, context)->size() > 0, "data", "expected samples in ", options.path.string(),
          ", got none");
}

DataShape check_benchmarks(const Recipe& recipe, const LlavaConfig& config) {
  const Tokenizer tokenizer = load_tokenizer(recipe.model, config);
  DataShape shape;
  for (const BenchmarkOptions& benchmark : recipe.eval->benchmarks) {
    if (has_data(benchmark)) {
      const auto& name =
          benchmark.template_name.empty() ? recipe.model.template_name : benchmark.template_name;
      check_opens(benchmark_data(benchmark), encoding_context(tokenizer, name, config));
    }
    if (benchmark.kind == "scienceqa") {
      const auto problems =
          read_scienceqa(benchmark.problems, benchmark.splits, benchmark.split, benchmark.images);
      for (const auto& problem : problems) {
        if (!problem.picture.empty() && needs_model(benchmark)) check_image_header(problem.picture);
      }
      shape.samples += static_cast<int64_t>(problems.size());
    }
    shape.longest =
        std::max(shape.longest, benchmark.kind == "speed" ? benchmark.prompt_tokens + benchmark.new_tokens
                                                          : benchmark.context);
  }
  shape.mean_tokens = static_cast<double>(shape.longest) / 2;
  return shape;
}

DataShape check_stage_data(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  if (run.stage == "warmup") {
    return check_training(run, config, recipe.warmup->phases, recipe.warmup->loop, recipe.warmup->heldout);
  }
  if (run.stage == "tune") {
    return check_training(run, config, {recipe.tune->phase}, recipe.tune->loop, recipe.tune->heldout);
  }
  return run.stage == "eval" ? check_benchmarks(recipe, config) : DataShape{};
}

// Multiplications and additions per second of a small product: the machine's order of magnitude.
double probe_flops(const Experiment& experiment) {
  constexpr int64_t kSide = 768;
  const at::Tensor a =
      at::ones({kSide, kSide}, at::TensorOptions().dtype(experiment.dtype).device(experiment.device));
  at::mm(a, a).sum().item<float>();
  const auto began = std::chrono::steady_clock::now();
  at::mm(a, a).sum().item<float>();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return 2.0 * kSide * kSide * kSide / seconds;
}

void check_quantize(const Recipe& recipe, const LlavaConfig& config) {
  const QuantizeOptions& options = *recipe.quantize;
  for (const LinearSpec& spec : linear_specs(config.language)) {
    check_group_shape(spec.name, spec.columns, options.bits, options.group_size);
  }
  if (!options.calibration) return;
  const Tokenizer tokenizer = load_tokenizer(recipe.model, config);
  const EncodingContext context = encoding_context(tokenizer, recipe.model.template_name, config);
  const CalibrationOptions& calibration = *options.calibration;
  if (calibration.data.kind != "mix") return check_opens(calibration.data, context);
  check_opens(*calibration.text, context);
  check_opens(*calibration.pictures, context);
}

void add_estimate(Table& table, const std::string& stage, const StageEstimate& estimate,
                  double flops_per_second) {
  // Small products reach about half of the probe's rate.
  const double seconds = 2.0 * estimate.flops / flops_per_second;
  table.add_row({cell(stage), bytes_cell(estimate.weights), bytes_cell(estimate.optimizer),
                 bytes_cell(estimate.gradients), bytes_cell(estimate.activations),
                 bytes_cell(estimate.total()), estimate.steps > 0 ? count_cell(estimate.steps) : empty_cell(),
                 seconds_cell(seconds)});
}

}  // namespace

void command_dry_run(const CommandOptions& options, const std::string& only) {
  const Experiment experiment = open_experiment(options);
  const Recipe& recipe = experiment.recipe;
  const LlavaConfig config = read_config(recipe.model.source);
  check_weight_names(recipe.model.source, config);
  if (recipe.quantize) check_quantize(recipe, config);
  Table table{"Estimated peak memory and time on " + experiment.device.str(),
              {"stage", "weights", "optimizer", "gradients", "activations", "peak", "steps", "time"},
              {}};
  const double flops_per_second = probe_flops(experiment);
  for (const std::string& stage : stage_names()) {
    if (!experiment.has_section(stage) || (!only.empty() && stage != only)) continue;
    const StageRun run{experiment, stage, experiment.folder(stage), "", false, 0};
    add_estimate(table, stage, estimate_stage(recipe, stage, config, check_stage_data(run, config)),
                 flops_per_second);
  }
  require(!table.rows.empty(), "dry run", "expected a section ", only.empty() ? join(stage_names()) : only,
          " in the recipe, got none");
  if (options.json) {
    std::cout << nlohmann::json{{"recipe", recipe_yaml(recipe)}, {"estimate", table_json(table)}}.dump()
              << std::endl;
  } else {
    std::cout << recipe_yaml(recipe) << "\n" << table_text(table) << std::endl;
  }
}

}  // namespace qslaw
