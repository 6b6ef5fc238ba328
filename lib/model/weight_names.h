// What checkpoints call their tensors. Published LLaVA folders use three namings (before transformers 4.52,
// after it in memory, and version 5 on disk); all are read, the oldest is written because every reader knows
// it.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"

namespace qslaw {

/// Prefixes of one checkpoint. A tensor's full name is prefix + short name ("layers.0.mlp.up_proj.weight",
/// "embeddings.class_embedding", "linear_1.weight").
struct WeightNames {
  std::string language;   // in front of embed_tokens, layers.N, norm
  std::string head;       // full name of the output head's weight
  std::string vision;     // in front of embeddings, pre_layrnorm, encoder
  std::string projector;  // in front of linear_1, linear_2
};

/// The naming that is written.
WeightNames written_names();

/// UserError when the language model, tower or projector cannot be recognized among `names` of `folder`.
WeightNames detect_llava_names(const std::vector<std::string>& names, const std::string& folder);
WeightNames detect_language_names(const std::vector<std::string>& names, const std::string& folder);
WeightNames detect_vision_names(const std::vector<std::string>& names, const std::string& folder);

/// Of LLaVA's own layout. `vision` is empty where the checkpoint brings no tower.
WeightNames detect_original_names(const std::vector<std::string>& names, const std::string& folder);

/// What the own layout calls a projector's tensor "linear_1.weight": "model.mm_projector.0.weight", or
/// without the number for one that has a single layer.
std::string original_projector_name(const std::string& name, bool single_layer);

/// LLaVA-1.6's row behind each line of a picture that was cut into parts.
inline constexpr const char* kImageNewline = "model.image_newline";

/// True for tensors that some checkpoints carry and this program never needs (buffers, unused blocks and
/// norms of the tower behind its feature layer, CLIP's text side).
bool is_known_unused(const std::string& name, const WeightNames& names, const VisionConfig& vision);

}  // namespace qslaw
