#include "assemble.h"
#include "export/export.h"
#include "stages.h"

namespace qslaw {

void run_export(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const LlavaConfig config = read_config(experiment.recipe.model.source);
  const Artifacts artifacts = collect_artifacts(experiment, run.stage);
  AssembledModel model = assemble_model(experiment, config, artifacts);
  report.results = export_model({&model.llava, experiment.recipe.model.source, *experiment.recipe.export_,
                                 model.adapter, model.lora, base_hash(artifacts), run.folder});
}

}  // namespace qslaw
