#include <ATen/ATen.h>

#include <memory>

#include "assemble.h"
#include "core/log.h"
#include "core/text.h"
#include "eval/benchmark.h"
#include "report/table.h"
#include "stages.h"
#include "train/checkpoint.h"
#include "training.h"

namespace qslaw {
namespace {

// Keeps alive what an EvalContext points to.
struct EvalModel {
  AssembledModel assembled;
  std::unique_ptr<Tokenizer> tokenizer;
};

void load_model(const StageRun& run, EvalModel& model, EvalContext& context) {
  const ModelOptions& options = run.experiment.recipe.model;
  const LlavaConfig config = read_config(options.source);
  model.tokenizer = std::make_unique<Tokenizer>(load_tokenizer(options, config));
  model.assembled = assemble_model(run.experiment, config, collect_artifacts(run.experiment, run.stage));
  context.model = &model.assembled.llava;
  context.tokenizer = model.tokenizer.get();
  context.transform = image_transform(options, config.vision);
}

// By name, because the folder may hold files of an earlier evaluation with other benchmarks.
void add_predictions(const StageRun& run, const BenchmarkOptions& benchmark, StageReport& report) {
  const std::string name = "predictions/" + result_name(benchmark) + ".jsonl";
  if (std::filesystem::exists(run.folder / name))
    add_file_hashes(report, run.folder, {name});  // not of speed
  const std::string submission = server_file_name(benchmark);
  if (!submission.empty()) add_file_hashes(report, run.folder, {submission});
}

// "accuracy 83.3333, n 6": as the tables have them.
std::string numbers_text(const nlohmann::json& result) {
  std::vector<std::string> numbers;
  for (const auto& [metric, value] : result.items()) {
    if (value.is_number() || value.is_null())
      numbers.push_back(metric + " " + metric_cell(metric, value).text);
  }
  return join(numbers);
}

}  // namespace

void run_eval(const StageRun& run, StageReport& report) {
  const Recipe& recipe = run.experiment.recipe;
  EvalModel model;
  EvalContext context;
  context.template_kind = parse_template(recipe.model.template_name);
  context.predictions = run.folder / "predictions";
  context.seed = recipe.seed;
  context.answers = answer_checkpoint(run.folder);
  if (needs_model(*recipe.eval)) {
    load_model(run, model, context);
    report.memory.weights = model_bytes(model.assembled.llava);
  }
  for (const BenchmarkOptions& benchmark : recipe.eval->benchmarks) {
    const nlohmann::json result = run_benchmark(benchmark, context);
    log_info(concat("eval: ", result_name(benchmark), ": ", numbers_text(result)));
    report.results[result_name(benchmark)] = result;
    add_predictions(run, benchmark, report);
  }
}

}  // namespace qslaw
