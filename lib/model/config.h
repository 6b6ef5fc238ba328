// Sizes and switches of a LLaVA model, read from Hugging Face's config.json files.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw {

/// Rotary embedding: base frequency and the two context extensions that LLaMA checkpoints use.
struct RopeConfig {
  double theta = 10000.0;
  std::string scaling = "default";  // default | linear | llama3
  double factor = 1.0;
  double low_freq_factor = 1.0;           // llama3
  double high_freq_factor = 4.0;          // llama3
  int64_t original_max_positions = 8192;  // llama3
};

/// LLaMA decoder. Defaults are Hugging Face LlamaConfig's: published LLaVA configs leave most fields out.
struct LanguageConfig {
  int64_t vocab = 32000;
  int64_t width = 4096;  // D
  int64_t ffn = 11008;   // F
  int64_t layers = 32;   // L
  int64_t heads = 32;    // H
  int64_t kv_heads = 32;
  int64_t head_size = 128;  // S
  int64_t max_positions = 2048;
  double rms_eps = 1e-6;
  RopeConfig rope;
  bool tied_head = false;
};

enum class ClipActivation { quick_gelu, gelu };

/// CLIP vision tower and how its features are chosen.
struct VisionConfig {
  int64_t width = 768;
  int64_t ffn = 3072;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t image_size = 224;  // pixels
  int64_t patch_size = 32;   // pixels
  double norm_eps = 1e-5;
  ClipActivation activation = ClipActivation::quick_gelu;
  int64_t feature_layer = -2;    // index into the hidden states; 0 = embeddings, -1 = last block's output
  bool drop_class_token = true;  // vision_feature_select_strategy "default"

  /// Blocks that must run for the chosen feature layer. REQUIRES: feature_layer was checked on reading.
  int64_t blocks_used() const { return feature_layer < 0 ? layers + 1 + feature_layer : feature_layer; }
  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  int64_t features() const { return patches() + (drop_class_token ? 0 : 1); }
};

enum class ProjectorKind { linear, mlp2x_gelu };
ProjectorKind parse_projector_kind(const std::string& name);
std::string projector_kind_name(ProjectorKind kind);

struct LlavaConfig {
  LanguageConfig language;
  VisionConfig vision;
  ProjectorKind projector = ProjectorKind::mlp2x_gelu;
  int64_t image_token_id = 32000;
  int64_t pad_token_id = 0;
  nlohmann::json source;  // the config.json it came from, for export
};

/// config.json of a Hugging Face LLaVA folder. UserError names the file and key that is missing, has the
/// wrong type or holds something this program does not support.
LlavaConfig read_llava_config(const std::filesystem::path& folder);

/// config.json of a LlamaForCausalLM folder, and of a CLIPModel or CLIPVisionModel folder.
LanguageConfig read_language_config(const std::filesystem::path& folder);
VisionConfig read_vision_config(const std::filesystem::path& folder);

/// Positions that the model was made for: max_position_embeddings, extended by linear and llama3 rope
/// scaling.
int64_t usable_positions(const LanguageConfig& language);

/// A LLaVA config.json for a model joined from parts.
nlohmann::json compose_llava_config(const LlavaConfig& config);

}  // namespace qslaw
