#include "assemble.h"
#include "core/files.h"
#include "export/export.h"
#include "export/hf_files.h"
#include "stage_checks.h"
#include "stages.h"

namespace qslaw {

void run_export(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const LlavaConfig config = read_config(experiment.recipe.model.source);
  const Artifacts artifacts = collect_artifacts(experiment, run.stage);
  require_export_base(artifacts, artifacts.adapter || artifacts.given_adapter, *experiment.recipe.export_);
  AssembledModel model = assemble_model(experiment, config, artifacts);
  const ModelOptions& source = experiment.recipe.model;
  settle_picture_token(source.source, model.llava.config);
  report.results = export_model({&model.llava, source.source, image_transform(source, config.vision),
                                 *experiment.recipe.export_, model.adapter, model.lora,
                                 packed_base(config, artifacts), run.folder});
  for (const std::string& format : experiment.recipe.export_->formats)
    add_folder_hashes(report, run.folder, format);
}

}  // namespace qslaw
