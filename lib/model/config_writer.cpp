#include "model/config.h"

using nlohmann::json;

namespace qslaw {
namespace {

json language_json(const LanguageConfig& config) {
  json out = {{"model_type", "llama"},
              {"architectures", {"LlamaForCausalLM"}},
              {"vocab_size", config.vocab},
              {"hidden_size", config.width},
              {"intermediate_size", config.ffn},
              {"num_hidden_layers", config.layers},
              {"num_attention_heads", config.heads},
              {"num_key_value_heads", config.kv_heads},
              {"head_dim", config.head_size},
              {"max_position_embeddings", config.max_positions},
              {"rms_norm_eps", config.rms_eps},
              {"rope_theta", config.rope.theta},
              {"hidden_act", "silu"},
              {"tie_word_embeddings", config.tied_head}};
  if (config.rope.scaling != "default") {
    out["rope_scaling"] = {{"rope_type", config.rope.scaling}, {"factor", config.rope.factor}};
  }
  if (config.rope.scaling == "llama3") {
    out["rope_scaling"]["low_freq_factor"] = config.rope.low_freq_factor;
    out["rope_scaling"]["high_freq_factor"] = config.rope.high_freq_factor;
    out["rope_scaling"]["original_max_position_embeddings"] = config.rope.original_max_positions;
  }
  return out;
}

json vision_json(const VisionConfig& config) {
  return {{"model_type", "clip_vision_model"},
          {"hidden_size", config.width},
          {"intermediate_size", config.ffn},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"image_size", config.image_size},
          {"patch_size", config.patch_size},
          {"layer_norm_eps", config.norm_eps},
          {"hidden_act", config.activation == ClipActivation::gelu ? "gelu" : "quick_gelu"},
          {"projection_dim", config.width}};
}

}  // namespace

json compose_llava_config(const LlavaConfig& config) {
  json out = {{"architectures", {"LlavaForConditionalGeneration"}},
              {"model_type", "llava"},
              {"text_config", language_json(config.language)},
              {"vision_config", vision_json(config.vision)},
              {"vision_feature_layer", config.vision.feature_layer},
              {"vision_feature_select_strategy", config.vision.drop_class_token ? "default" : "full"},
              {"projector_hidden_act", "gelu"},
              {"image_token_index", config.image_token_id},
              {"image_seq_length", config.vision.features()},
              {"pad_token_id", config.pad_token_id},
              {"tie_word_embeddings", config.language.tied_head}};
  if (config.projector == ProjectorKind::linear) out["qslaw_projector_kind"] = "linear";
  return out;
}

}  // namespace qslaw
