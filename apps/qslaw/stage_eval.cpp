#include <ATen/ATen.h>

#include <algorithm>

#include "assemble.h"
#include "core/log.h"
#include "core/text.h"
#include "eval/benchmark.h"
#include "stages.h"
#include "training.h"

namespace qslaw {

void run_eval(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const ModelOptions& options = experiment.recipe.model;
  const LlavaConfig config = read_config(options.source);
  const Tokenizer tokenizer = load_tokenizer(options, config);
  const auto& benchmarks = experiment.recipe.eval->benchmarks;
  AssembledModel model;
  if (std::any_of(benchmarks.begin(), benchmarks.end(), needs_model)) {
    model = assemble_model(experiment, config, collect_artifacts(experiment, run.stage));
    report.memory.weights = model_bytes(model.llava);
  }
  const EvalContext context{&model.llava,
                            &tokenizer,
                            parse_template(options.template_name),
                            image_transform(options, config.vision),
                            run.folder / "predictions",
                            experiment.recipe.seed};
  for (const BenchmarkOptions& benchmark : benchmarks) {
    report.results[result_name(benchmark)] = run_benchmark(benchmark, context);
    log_info(concat("eval: ", result_name(benchmark), " ", report.results[result_name(benchmark)].dump()));
  }
}

}  // namespace qslaw
