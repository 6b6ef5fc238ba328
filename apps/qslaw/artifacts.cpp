#include "artifacts.h"

#include "core/error.h"
#include "report/stage_report.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

void take(std::optional<fs::path>& slot, const fs::path& file) {
  if (fs::exists(file)) slot = file;
}

// A stage folder's files, over what came before.
void add_stage(Artifacts& artifacts, const fs::path& folder) {
  take(artifacts.packed, folder / "language.safetensors");
  take(artifacts.dense, folder / "model.safetensors");
  take(artifacts.projector, folder / "projector.safetensors");
  take(artifacts.adapter, folder / "adapter.safetensors");
}

}  // namespace

Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage) {
  Artifacts artifacts;
  for (const fs::path& folder : experiment.recipe.model.stages) {
    require(is_stage_complete(folder), "model", "expected a finished stage folder, got ", folder.string(),
            " (key model.stages)");
    add_stage(artifacts, folder);
  }
  for (const std::string& before : experiment.base_stages(stage)) {
    require(is_stage_complete(experiment.folder(before)), stage, "expected the recipe's ", before,
            " stage to be complete, got no report in ", experiment.folder(before).string(), "; run `qslaw ",
            before, "` first");
    add_stage(artifacts, experiment.folder(before));
  }
  return artifacts;
}

}  // namespace qslaw
