#include "model/original_layout.h"

#include "core/error.h"
#include "io/json.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

fs::path config_file(const fs::path& folder) {
  return folder / "config.json";
}

// The text of a key of config.json; `otherwise` when it is absent or null.
std::string text_of(const json& config, const fs::path& folder, const char* key,
                    const std::string& otherwise) {
  if (!config.contains(key) || config[key].is_null()) return otherwise;
  require(config[key].is_string(), "config", "expected text, got ", config[key].dump(), " (",
          config_file(folder).string(), ", key ", key, ")");
  return config[key].get<std::string>();
}

[[noreturn]] void refuse(const fs::path& folder, const char* key, const std::string& expected,
                         const std::string& got) {
  fail("config", "expected ", expected, ", got ", got, " (", config_file(folder).string(), ", key ", key,
       ")");
}

int64_t feature_layer(const json& config, const fs::path& folder, int64_t layers) {
  const char* const key = "mm_vision_select_layer";
  if (!config.contains(key) || config[key].is_null()) return -2;
  const bool fits = config[key].is_number_integer() && config[key].get<int64_t>() >= -layers - 1 &&
                    config[key].get<int64_t>() <= layers;
  if (!fits) refuse(folder, key, concat("an integer from ", -layers - 1, " to ", layers), config[key].dump());
  return config[key].get<int64_t>();
}

void refuse_unsupported(const json& config, const fs::path& folder) {
  const char* const marks = "mm_use_im_start_end";
  if (config.value(marks, json(false)) == json(true))
    refuse(folder, marks, "false, as no template puts tokens around pictures", "true");
}

ProjectorKind projector_kind(const json& config, const fs::path& folder) {
  const char* const key = "mm_projector_type";
  const std::string kind = text_of(config, folder, key, "linear");
  if (kind != "linear" && kind != "mlp2x_gelu") refuse(folder, key, "linear or mlp2x_gelu", kind);
  return parse_projector_kind(kind);
}

}  // namespace

bool has_original_layout(const ModelSource& source) {
  if (source.path.empty()) return false;
  const json config = read_json(config_file(source.path));
  return config.is_object() && !config.contains("text_config") && config.contains("mm_vision_tower");
}

LlavaConfig read_original_config(const ModelSource& source) {
  const fs::path& folder = source.path;
  const json config = read_json(config_file(folder));
  refuse_unsupported(config, folder);
  LlavaConfig llava;
  llava.language = read_language_config(folder);
  const fs::path tower = original_tower(source);
  llava.vision = read_vision_config(tower);
  const json width = config.value("mm_hidden_size", json(llava.vision.width));
  if (width != json(llava.vision.width)) {
    refuse(folder, "mm_hidden_size",
           concat("the tower's width ", llava.vision.width, " (", tower.string(), ")"), width.dump());
  }
  llava.vision.feature_layer = feature_layer(config, folder, llava.vision.layers);
  const char* const key = "mm_vision_select_feature";
  const std::string features = text_of(config, folder, key, "patch");
  if (features != "patch" && features != "cls_patch") refuse(folder, key, "patch or cls_patch", features);
  llava.vision.drop_class_token = features == "patch";
  llava.projector = projector_kind(config, folder);
  llava.image_token_id = llava.language.vocab;  // pictures have no id of the vocabulary
  llava.source = compose_llava_config(llava);
  return llava;
}

fs::path original_tower(const ModelSource& source) {
  if (!source.vision.empty()) return source.vision;
  const char* const key = "mm_vision_tower";
  const std::string name = text_of(read_json(config_file(source.path)), source.path, key, "");
  const fs::path tower = source.path / name;
  std::error_code unreachable;
  if (name.empty() || !fs::exists(tower / "config.json", unreachable)) {
    refuse(source.path, key, "a folder, or the downloaded tower's folder as model.vision in the recipe",
           "\"" + name + "\" alone");
  }
  return tower.lexically_normal();
}

std::string original_image_aspect(const fs::path& folder) {
  const char* const key = "image_aspect_ratio";
  const std::string aspect = text_of(read_json(config_file(folder)), folder, key, "square");
  if (aspect != "pad" && aspect != "square") {
    refuse(
        folder, key,
        "pad or square, or model.image_aspect in the recipe (a picture is seen as a whole, never in parts)",
        aspect);
  }
  return aspect;
}

}  // namespace qslaw
