// What stops a stage and is known before anything is computed: asked by the stage itself and by --dry-run.
#pragma once
#include <optional>
#include <string>

#include "artifacts.h"
#include "model/config.h"
#include "quant/packed_weight.h"
#include "recipe/estimate.h"

namespace qslaw {

/// The packed language model that a stage begins with.
struct PackedBase {
  std::string method;  // empty: nothing is packed
  CodeKind kind = CodeKind::uniform;
  int64_t group_size = 0;
};

/// Of the artifacts' packed file, from its header alone. UserError when it is no such file.
PackedBase packed_base(const Artifacts& artifacts);
/// Of what a quantize section will make.
PackedBase packed_base(const QuantizeOptions& options);

/// Of the weights that a warm-up of this recipe begins with. REQUIRES: require_warmup_base passed.
int64_t warmup_group_size(const Experiment& experiment);

/// Its sizes, for the estimates.
std::optional<PackedLinears> packed_linears(const Artifacts& artifacts);

/// UserError unless quantize can begin: earlier stages may have tuned the dense model, in full or its
/// projector, but neither packed it nor put an adapter on it.
void require_quantize_base(const Artifacts& artifacts);

/// UserError unless warmup can begin: a packed base on a uniform grid, blocks from `first_layer` on, and no
/// given gamma where the base holds one.
void require_warmup_base(const PackedBase& base, const WarmupOptions& options, const LlavaConfig& config);

/// UserError unless tune can begin: a base, packed or dense, that its method can change, and no adapter yet.
void require_tune_base(const Artifacts& artifacts, bool is_packed, const TuneOptions& options);

/// KeyError unless model.adapter, if it is given, fits the model and has the rank and alpha of tune.lora.
/// Reads headers only.
void require_given_adapter(const Recipe& recipe, const LlavaConfig& config);

/// UserError unless export can begin: for the format peft an adapter, and hf_base beside it where the adapter
/// belongs on a model that was tuned in full, which no checkpoint holds.
void require_export_base(const Artifacts& artifacts, bool has_adapter, const ExportOptions& options);

}  // namespace qslaw
