#include "model/config.h"

#include <algorithm>

#include "core/error.h"
#include "io/json.h"
#include "model/config_reader.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

// transformers 5 nests everything in rope_parameters; before, rope_theta stood alone beside rope_scaling.
RopeConfig parse_rope(const ConfigReader& text) {
  RopeConfig rope;
  rope.theta = text.number("rope_theta", rope.theta);
  const char* key = text.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!text.has(key)) return rope;
  const ConfigReader nested = text.object(key);
  rope.theta = nested.number("rope_theta", rope.theta);
  rope.scaling = nested.text("rope_type", nested.text("type", "default"));
  require(rope.scaling == "default" || rope.scaling == "linear" || rope.scaling == "llama3", "config",
          "expected rope scaling default, linear or llama3, got ", rope.scaling, " (", text.file(), ", key ",
          text.name(key), ")");
  rope.factor = nested.number("factor", rope.factor);
  rope.low_freq_factor = nested.number("low_freq_factor", rope.low_freq_factor);
  rope.high_freq_factor = nested.number("high_freq_factor", rope.high_freq_factor);
  rope.original_max_positions =
      nested.integer("original_max_position_embeddings", text.integer("max_position_embeddings", 8192));
  return rope;
}

LanguageConfig parse_language(const ConfigReader& text) {
  const std::string type = text.text("model_type", "llama");
  require(type == "llama" || type == "llava" || type == "llava_llama", "config",
          "expected a llama language model, got ", text.name("model_type"), " ", type, " (", text.file(),
          ")");
  require(!text.flag("attention_bias", false) && !text.flag("mlp_bias", false), "config",
          "expected linear layers without bias (", text.file(), ", keys ", text.name("attention_bias"), ", ",
          text.name("mlp_bias"), ")");
  const std::string activation = text.text("hidden_act", "silu");
  require(activation == "silu", "config", "expected ", text.name("hidden_act"), " silu, got ", activation,
          " (", text.file(), ")");
  LanguageConfig config;
  config.vocab = text.positive("vocab_size", config.vocab);
  config.width = text.positive("hidden_size", config.width);
  config.ffn = text.positive("intermediate_size", config.ffn);
  config.layers = text.positive("num_hidden_layers", config.layers, kMostLayers);
  config.heads = text.positive("num_attention_heads", config.heads);
  config.kv_heads = text.positive("num_key_value_heads", config.heads);
  require(text.has("head_dim") || config.width % config.heads == 0, "config", "expected ",
          text.name("num_attention_heads"), " to divide ", config.width, ", got ", config.heads, " (",
          text.file(), ")");
  config.head_size = text.positive("head_dim", config.width / config.heads);
  config.max_positions = text.positive("max_position_embeddings", config.max_positions);
  config.rms_eps = text.number("rms_norm_eps", config.rms_eps);
  config.rope = parse_rope(text);
  config.tied_head = text.flag("tie_word_embeddings", false);
  require(config.heads % config.kv_heads == 0, "config", "expected ", text.name("num_key_value_heads"),
          " to divide ", config.heads, ", got ", config.kv_heads, " (", text.file(), ")");
  require(config.head_size > 0 && config.head_size % 2 == 0, "config", "expected an even head size, got ",
          config.head_size, " (", text.file(), ")");
  return config;
}

VisionConfig parse_vision(const ConfigReader& vision) {
  VisionConfig config;
  config.width = vision.positive("hidden_size", config.width);
  config.ffn = vision.positive("intermediate_size", config.ffn);
  config.layers = vision.positive("num_hidden_layers", config.layers, kMostLayers);
  config.heads = vision.positive("num_attention_heads", config.heads);
  config.image_size = vision.positive("image_size", config.image_size, kMostPixels);
  config.patch_size = vision.positive("patch_size", config.patch_size, kMostPixels);
  config.norm_eps = vision.number("layer_norm_eps", config.norm_eps);
  const std::string activation = vision.text("hidden_act", "quick_gelu");
  require(activation == "quick_gelu" || activation == "gelu", "config", "expected ",
          vision.name("hidden_act"), " quick_gelu or gelu, got ", activation, " (", vision.file(), ")");
  config.activation = activation == "gelu" ? ClipActivation::gelu : ClipActivation::quick_gelu;
  require(config.width % config.heads == 0, "config", "expected ", vision.name("num_attention_heads"),
          " to divide ", config.width, ", got ", config.heads, " (", vision.file(), ")");
  require(config.image_size >= config.patch_size, "config", "expected ", vision.name("image_size"),
          " of at least one patch (", config.patch_size, "), got ", config.image_size, " (", vision.file(),
          ")");
  return config;
}

void parse_feature_choice(const ConfigReader& root, VisionConfig& vision) {
  vision.feature_layer = root.integer("vision_feature_layer", -2);
  require(vision.feature_layer >= -vision.layers - 1 && vision.feature_layer <= vision.layers, "config",
          "expected vision_feature_layer between ", -vision.layers - 1, " and ", vision.layers, ", got ",
          vision.feature_layer, " (", root.file(), ")");
  const std::string strategy = root.text("vision_feature_select_strategy", "default");
  require(strategy == "default" || strategy == "full", "config",
          "expected vision_feature_select_strategy default or full, got ", strategy, " (", root.file(), ")");
  vision.drop_class_token = strategy == "default";
}

// It may be of a token that was added without a row in the embeddings; an export fills them up to it.
int64_t parse_picture_token(const ConfigReader& root, int64_t vocab) {
  const char* key = root.has("image_token_index") ? "image_token_index" : "image_token_id";
  const int64_t token = root.integer(key, 32000);
  constexpr int64_t kMostAdded = 64;  // far more than the picture token and the padding
  require(!root.has(key) || token < vocab + kMostAdded, "config", "expected a token of the vocabulary (",
          vocab, " of text_config.vocab_size, or one of ", kMostAdded, " added behind them), got ", token,
          " (", root.file(), ", key ", key, ")");
  return token;
}

// What a folder is that is no LLaVA's, behind its model_type.
std::string other_model(const std::string& type) {
  if (type == "llava_next") return ", which cuts pictures into parts (not supported)";
  if (type == "llama") return ", a language model alone, which is for model.language";
  if (type.starts_with("clip")) return ", a vision tower alone, which is for model.vision";
  return "";
}

}  // namespace

ProjectorKind parse_projector_kind(const std::string& name) {
  if (name == "linear") return ProjectorKind::linear;
  if (name == "mlp2x_gelu") return ProjectorKind::mlp2x_gelu;
  fail("model", "expected projector_kind linear or mlp2x_gelu, got ", name);
}

std::string projector_kind_name(ProjectorKind kind) {
  return kind == ProjectorKind::linear ? "linear" : "mlp2x_gelu";
}

LlavaConfig read_llava_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  LlavaConfig config;
  config.source = read_json(path);
  const ConfigReader root(config.source, path.string());
  const std::string type = root.text("model_type", "");
  require(type == "llava", "config", "expected model_type llava, got \"", type, "\"", other_model(type), " (",
          path.string(), ")");
  config.language = parse_language(root.required_object("text_config"));
  // In LLaVA configs the outer flag counts where the inner one is absent (transformers ties by the outer
  // config).
  config.language.tied_head = root.flag("tie_word_embeddings", config.language.tied_head);
  config.vision = parse_vision(root.required_object("vision_config"));
  parse_feature_choice(root, config.vision);
  const std::string activation = root.text("projector_hidden_act", "gelu");
  require(activation == "gelu", "config", "expected projector_hidden_act gelu, got ", activation, " (",
          path.string(), ")");
  config.projector = parse_projector_kind(root.text("qslaw_projector_kind", "mlp2x_gelu"));
  config.image_token_id = parse_picture_token(root, config.language.vocab);
  config.pad_token_id = root.integer("pad_token_id", 0);
  if (config.pad_token_id < 0 || config.pad_token_id >= config.language.vocab) config.pad_token_id = 0;
  return config;
}

LanguageConfig read_language_config(const fs::path& folder) {
  const json source = read_json(folder / "config.json");
  const ConfigReader root(source, (folder / "config.json").string());
  // Defaults would pass for the sizes, which stand one level below.
  require(!root.has("text_config"), "config",
          "expected a language model alone, got a config.json with text_config, as whole models have it: "
          "LLaVA's are for model.path, CLIP's for model.vision (",
          root.file(), ")");
  return parse_language(root);
}

VisionConfig read_vision_config(const fs::path& folder) {
  const json source = read_json(folder / "config.json");
  const ConfigReader root(source, (folder / "config.json").string());
  return parse_vision(root.has("vision_config") ? root.object("vision_config") : root);
}

int64_t usable_positions(const LanguageConfig& language) {
  constexpr double kMost = 1e15;  // whatever the factor
  const RopeConfig& rope = language.rope;
  if (rope.scaling == "default") return language.max_positions;
  // With linear scaling, max_position_embeddings stays that of the model before it was extended; with llama3
  // there is a key of its own for that, and max_position_embeddings mostly says what came of it.
  const int64_t before = rope.scaling == "llama3" ? rope.original_max_positions : language.max_positions;
  const double extended = std::min(kMost, static_cast<double>(before) * rope.factor);
  return std::max(language.max_positions, static_cast<int64_t>(std::max(0.0, extended)));
}

}  // namespace qslaw
