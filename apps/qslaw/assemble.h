// A model as a stage needs it: the checkpoint with what earlier stages left on top.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts.h"
#include "data/dataset.h"
#include "data/image_transform.h"
#include "io/tokenizer.h"
#include "model/lora.h"
#include "quant/packed_weight.h"

namespace qslaw {

struct AssembledModel {
  Llava llava;
  std::vector<LoraLinear*> adapter;  // owned by llava; empty without an adapter
  LoraOptions lora;
  std::shared_ptr<DropoutKey> dropout = std::make_shared<DropoutKey>();  // of the adapter
};

/// The decoder's packed weights that a stage starts from, if any stage before it packed them.
std::optional<PackedLanguage> read_packed(const LlavaConfig& config, const Artifacts& artifacts);

/// The recipe's model with the artifacts' dense weights and projector over it: what is quantized, and what
/// every later stage begins with.
ModelSource tuned_source(const Experiment& experiment, const Artifacts& artifacts);

/// Loads that with linears from `maker`.
Llava load_base(const Experiment& experiment, const LlavaConfig& config, const Artifacts& artifacts,
                const LinearMaker& maker);

/// The finished model of the stages so far: packed or dense linears, projector, adapter attached. `dropout`
/// is that of an adapter which is tuned on.
AssembledModel assemble_model(const Experiment& experiment, const LlavaConfig& config,
                              const Artifacts& artifacts, double dropout = 0.0);

/// The trained adapter with the hash of the base it belongs to.
void write_adapter(const std::filesystem::path& path, const std::vector<LoraLinear*>& layers,
                   const LoraOptions& options, const std::string& base_sha256);

/// SHA-256 of the packed weights that the model computes with, or that a hf_base export made its own of; ""
/// for any other 16-bit model.
std::string packed_base(const LlavaConfig& config, const Artifacts& artifacts);
/// What an adapter belongs on: SHA-256 of the packed base, or a hash of the 16-bit checkpoint's identity and
/// of a stage that tuned it in full. As their reports say; verify_artifacts looks at the files.
std::string base_hash(const Experiment& experiment, const Artifacts& artifacts);
/// UserError when the artifacts' adapter, if any, was tuned on another base.
void require_adapter_base(const Experiment& experiment, const Artifacts& artifacts);

/// Preprocessing of the model's tower (preprocessor_config.json, the recipe's image_aspect).
ImageTransform image_transform(const ModelOptions& model, const VisionConfig& vision);

/// Tokenizer, template and picture length for the data sets. UserError when the tokenizer has more tokens
/// than the model.
Tokenizer load_tokenizer(const ModelOptions& model, const LlavaConfig& config);
EncodingContext encoding_context(const Tokenizer& tokenizer, const std::string& template_name,
                                 const LlavaConfig& config);

}  // namespace qslaw
