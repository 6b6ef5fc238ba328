#include <ATen/ATen.h>

#include "assemble.h"
#include "quant/calibration.h"
#include "quant/quantize.h"
#include "stage_checks.h"
#include "stages.h"
#include "train/checkpoint.h"

namespace qslaw {

void run_quantize(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const ModelOptions& model = experiment.recipe.model;
  const QuantizeOptions& options = *experiment.recipe.quantize;
  const LlavaConfig config = read_config(model.source);
  const Artifacts artifacts = collect_artifacts(experiment, run.stage);
  require_quantize_base(artifacts);
  QuantizeTask task{
      tuned_source(experiment, artifacts), config, options, experiment.dtype, experiment.device, {},
      block_checkpoint(run.folder)};
  if (options.calibration) {
    const Tokenizer tokenizer = load_tokenizer(model, config);
    task.calibration =
        calibration_batches(*options.calibration, encoding_context(tokenizer, model.template_name, config),
                            image_transform(model, config.vision), options.omniquant.batch_size,
                            config.pad_token_id, experiment.recipe.seed);
  }
  const PackedLanguage header{options.method, options.bits, options.group_size, {}, artifacts.tuned_base};
  write_packed_language(run.folder / "language.safetensors", header, linear_specs(config.language).size(),
                        [&](const PackedSink& sink) { report.results = quantize_language(task, sink); });
  report.memory.weights = report.results.at("packed_bytes").get<int64_t>();
  add_file_hashes(report, run.folder, {"language.safetensors"});
}

}  // namespace qslaw
