#include "stage_checks.h"

#include "core/key_error.h"
#include "model/lora_folder.h"

namespace qslaw {
namespace {

// Whether codes of this method were made of weights into which gamma was multiplied.
bool holds_gamma(const std::string& method) {
  return method == "absorbed" || method.ends_with(kFolded);
}

}  // namespace

PackedBase packed_base(const Artifacts& artifacts) {
  if (!artifacts.packed) return {};
  const PackedHeader header = read_packed_header(*artifacts.packed);
  return {header.method, header.kind, header.group_size};
}

PackedBase packed_base(const QuantizeOptions& options) {
  return {options.method, options.method == "nf4" ? CodeKind::normal_float : CodeKind::uniform,
          options.group_size};
}

int64_t warmup_group_size(const Experiment& experiment) {
  const auto& own = experiment.recipe.quantize;
  return own ? own->group_size : packed_base(collect_artifacts(experiment, stage_names().front())).group_size;
}

std::optional<PackedLinears> packed_linears(const Artifacts& artifacts) {
  if (!artifacts.packed) return std::nullopt;
  const PackedHeader header = read_packed_header(*artifacts.packed);
  return PackedLinears{header.bytes, header.group_size};
}

void require_quantize_base(const Artifacts& artifacts) {
  require(!artifacts.packed, "quantize",
          "expected a dense language model to quantize, got one that is packed: ",
          artifacts.packed.value_or("").string());
  require(!artifacts.adapter, "quantize", "expected a model without adapter to quantize, got ",
          artifacts.adapter.value_or("").string(),
          "; export it with format hf, which merges the adapter, and quantize that");
}

void require_warmup_base(const PackedBase& base, const WarmupOptions& options, const LlavaConfig& config) {
  require(!base.method.empty(), "warmup", "expected a quantized language model before warmup, got none");
  require(base.kind == CodeKind::uniform, "warmup",
          "expected a uniform grid (rtn, omniquant or absorbed) to learn scales on, got ", base.method);
  require_key(options.start.empty() || !holds_gamma(base.method), "warmup.start",
              "expected none on weights of method ", base.method, ", which hold gamma already, got ",
              options.start.string());
  require_key(options.first_layer < config.language.layers, "warmup.first_layer",
              "expected a layer below the model's ", config.language.layers, ", got ", options.first_layer);
}

void require_tune_base(const Artifacts& artifacts, bool is_packed, const TuneOptions& options) {
  require(!(options.method == "full" && is_packed), "tune",
          "expected a dense language model for method full, got a packed one; use method lora");
  require(!artifacts.adapter, "tune", "expected a model without adapter, got one from an earlier stage");
}

void require_given_adapter(const Recipe& recipe, const LlavaConfig& config) {
  if (recipe.model.adapter.empty()) return;
  const LoraOptions given = LoraFolder(recipe.model.adapter, config).options();
  if (!recipe.tune) return;
  const LoraOptions& tuned = recipe.tune->lora;
  require_key(tuned.rank == given.rank, "tune.lora.rank", "expected ", given.rank,
              ", that of model.adapter, got ", tuned.rank);
  require_key(tuned.alpha == given.alpha, "tune.lora.alpha", "expected ", given.alpha,
              ", that of model.adapter, got ", tuned.alpha);
}

void require_export_base(const Artifacts& artifacts, bool has_adapter, const ExportOptions& options) {
  if (!exports(options, "peft")) return;
  require(has_adapter, "export", "expected a model with a LoRA adapter for the format peft, got none");
  if (artifacts.dense.empty() || exports(options, "hf_base")) return;
  fail("export", "expected hf_base beside peft in export.formats, as the adapter belongs on the fully tuned ",
       artifacts.dense.back().string(), " and not on the checkpoint, got peft without it");
}

}  // namespace qslaw
