#include "export/formats.h"

#include "core/error.h"
#include "model/original_layout.h"

namespace qslaw {
namespace {

void require_projector(ProjectorKind kind) {
  require(kind == ProjectorKind::mlp2x_gelu, "export",
          "expected an mlp2x_gelu projector, the only one that Hugging Face's LLaVA has, got ",
          projector_kind_name(kind));
}

}  // namespace

void require_exportable(const ModelSource& source, const LlavaConfig& config, const ExportOptions& options) {
  require_projector(config.projector);
  if (!exports(options, "peft") || exports(options, "hf_base")) return;
  const bool on_disk = !source.path.empty() && !source.random_weights && !has_original_layout(source);
  require(on_disk, "export",
          "expected hf_base beside peft, as no folder that transformers reads holds the base of a model that "
          "was joined from parts, begun at random or read from LLaVA's own layout, got peft alone");
}

void require_exportable(const ExportTask& task) {
  require_projector(task.model->projector.kind);
  require(!exports(task.options, "peft") || !task.adapter.empty(), "export",
          "expected a model with a LoRA adapter for the format peft, got none");
  require_exportable(task.source, task.model->config, task.options);
}

}  // namespace qslaw
