#include "model/weight_names.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace qslaw {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The first prefix under which `probe` is present.
std::string detect_prefix(const std::vector<std::string>& names, const std::vector<std::string>& prefixes,
                          const std::string& probe, const std::string& what, const std::string& folder) {
  for (const auto& prefix : prefixes) {
    if (contains(names, prefix + probe)) return prefix;
  }
  fail("weights", "expected the ", what, " (", prefixes[0], probe, " or another known name) in ", folder,
       ", got none of its tensors");
}

std::string detect_head(const std::vector<std::string>& names, const std::string& language) {
  for (const char* head : {"lm_head.weight", "language_model.lm_head.weight", "model.lm_head.weight"}) {
    if (contains(names, head)) return head;
  }
  // Tied models may leave it out; a missing untied head is reported under the name that belongs to the
  // prefix.
  return language == "language_model.model." ? "language_model.lm_head.weight" : "lm_head.weight";
}

const char* const kVisionProbe = "embeddings.class_embedding";

}  // namespace

WeightNames written_names() {
  return {"language_model.model.", "language_model.lm_head.weight", "vision_tower.vision_model.",
          "multi_modal_projector."};
}

WeightNames detect_llava_names(const std::vector<std::string>& names, const std::string& folder) {
  WeightNames found;
  found.language =
      detect_prefix(names, {"language_model.model.", "model.language_model.", "model.language_model.model."},
                    "embed_tokens.weight", "language model", folder);
  found.head = detect_head(names, found.language);
  found.vision = detect_prefix(names,
                               {"vision_tower.vision_model.", "vision_tower.",
                                "model.vision_tower.vision_model.", "model.vision_tower."},
                               kVisionProbe, "vision tower", folder);
  found.projector = detect_prefix(names, {"multi_modal_projector.", "model.multi_modal_projector."},
                                  "linear_1.weight", "projector", folder);
  return found;
}

WeightNames detect_language_names(const std::vector<std::string>& names, const std::string& folder) {
  WeightNames found;
  found.language = detect_prefix(names, {"model.", "language_model.model.", "model.language_model."},
                                 "embed_tokens.weight", "language model", folder);
  found.head = detect_head(names, found.language);
  return found;
}

WeightNames detect_vision_names(const std::vector<std::string>& names, const std::string& folder) {
  WeightNames found;
  found.vision = detect_prefix(names, {"vision_model.", "", "vision_tower.vision_model.", "vision_tower."},
                               kVisionProbe, "vision tower", folder);
  return found;
}

WeightNames detect_original_names(const std::vector<std::string>& names, const std::string& folder) {
  WeightNames found = detect_language_names(names, folder);
  const std::string tower = "model.vision_tower.vision_tower.vision_model.";
  if (contains(names, tower + kVisionProbe)) found.vision = tower;
  return found;
}

std::string original_projector_name(const std::string& name, bool single_layer) {
  const std::string leaf = name.substr(name.find('.'));
  if (single_layer) return "model.mm_projector" + leaf;
  return (starts_with(name, "linear_1.") ? "model.mm_projector.0" : "model.mm_projector.2") + leaf;
}

bool is_known_unused(const std::string& name, const WeightNames& names, const VisionConfig& vision) {
  const auto ends_with = [&](const std::string& ending) {
    return name.size() >= ending.size() &&
           name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
  };
  if (ends_with("rotary_emb.inv_freq") || ends_with("embeddings.position_ids")) return true;
  for (const char* text_side : {"text_model.", "text_projection.", "visual_projection.", "logit_scale"}) {
    if (starts_with(name, text_side)) return true;
  }
  if (starts_with(name, names.vision + "post_layernorm.")) return true;
  const std::string blocks = names.vision + "encoder.layers.";
  if (!starts_with(name, blocks)) return false;
  // One behind those that the configuration speaks of is a contradiction.
  const int64_t block = std::atoll(name.c_str() + blocks.size());
  return block >= vision.blocks_used() && block < vision.layers;
}

}  // namespace qslaw
