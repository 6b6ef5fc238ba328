#include "stage_checks.h"

#include "core/error.h"

namespace qslaw {

PackedBase packed_base(const Artifacts& artifacts) {
  if (!artifacts.packed) return {};
  const SafetensorsFile file(*artifacts.packed);
  const auto value = [&file](const char* key) {
    const auto found = file.metadata().find(key);
    require(found != file.metadata().end(), "packed", "expected a packed language model with metadata ", key,
            ", got none (", file.path().string(), ")");
    return found->second;
  };
  return {value("method"), value("codes") == "uniform" ? CodeKind::uniform : CodeKind::normal_float};
}

PackedBase packed_base(const QuantizeOptions& options) {
  return {options.method, options.method == "nf4" ? CodeKind::normal_float : CodeKind::uniform};
}

void require_warmup_base(const PackedBase& base, const WarmupOptions& options, const LlavaConfig& config) {
  require(!base.method.empty(), "warmup", "expected a quantized language model before warmup, got none");
  require(base.kind == CodeKind::uniform, "warmup",
          "expected a uniform grid (rtn or omniquant) to learn scales on, got ", base.method);
  require(options.first_layer < config.language.layers, "warmup", "expected first_layer below the model's ",
          config.language.layers, " layers, got ", options.first_layer);
}

void require_tune_base(const Artifacts& artifacts, bool is_packed, const TuneOptions& options) {
  require(!(artifacts.dense && is_packed), "model",
          "expected either a packed language model or a fully tuned one before this stage, got both");
  require(!(options.method == "full" && is_packed), "tune",
          "expected a dense language model for method full, got a packed one; use method lora");
  require(!artifacts.adapter, "tune", "expected a model without adapter, got one from an earlier stage");
}

}  // namespace qslaw
