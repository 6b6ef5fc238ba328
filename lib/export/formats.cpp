#include "export/formats.h"

#include <algorithm>

#include "core/error.h"

namespace qslaw {

bool exports(const ExportTask& task, const std::string& format) {
  const auto& formats = task.options.formats;
  return std::find(formats.begin(), formats.end(), format) != formats.end();
}

void require_exportable(const ExportTask& task) {
  require(task.model->projector.kind == ProjectorKind::mlp2x_gelu, "export",
          "expected an mlp2x_gelu projector, the only one that Hugging Face's LLaVA has, got ",
          projector_kind_name(task.model->projector.kind));
  if (!exports(task, "peft")) return;
  require(!task.adapter.empty(), "export",
          "expected a model with a LoRA adapter for the format peft, got none");
  const bool base_on_disk = !task.source.path.empty() && !task.source.random_weights;
  require(base_on_disk || exports(task, "hf_base"), "export",
          "expected hf_base beside peft, as no folder holds the base of a model that was joined from parts "
          "or begun at "
          "random, got peft alone");
}

}  // namespace qslaw
