#include "export/hf_files.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "export/hf_tensors.h"
#include "io/json.h"
#include "io/tokenizer.h"
#include "model/original_layout.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

void set_dtype(json& part, const std::string& dtype) {
  part.erase("dtype");  // transformers 5's key wins over torch_dtype, which every version knows
  part["torch_dtype"] = dtype;
}

// transformers 5 reads rope_parameters and the older pair; earlier versions and other readers know only the
// pair.
void add_old_rope_keys(json& text) {
  if (!text.contains("rope_parameters") || !text["rope_parameters"].is_object()) return;
  json rope = text["rope_parameters"];
  if (rope.contains("rope_theta")) text["rope_theta"] = rope["rope_theta"];
  rope.erase("rope_theta");
  const json type = rope.value("rope_type", json());
  if (!type.is_null() && type != "default") text["rope_scaling"] = rope;
}

const char* const kCompanions[] = {
    "tokenizer.model",    "tokenizer.json",         "tokenizer_config.json",    "special_tokens_map.json",
    "added_tokens.json",  "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "chat_template.json", "chat_template.jinja"};

json image_token(int64_t id) {
  return {{"id", id},        {"content", "<image>"}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false},  {"special", true}};
}

// Each kind of tokenizer file lists added tokens in its own way.
void add_image_token(const fs::path& folder, int64_t id) {
  const fs::path fast = folder / "tokenizer.json", settings = folder / "tokenizer_config.json";
  if (fs::exists(fast)) {
    json tokenizer = read_json(fast);
    tokenizer["added_tokens"].push_back(image_token(id));
    write_json(fast, tokenizer);
  }
  if (fs::exists(settings)) {
    json tokenizer = read_json(settings);
    json token = image_token(id);
    token.erase("id");
    tokenizer["added_tokens_decoder"][std::to_string(id)] = token;
    write_json(settings, tokenizer);
  }
  const fs::path added = folder / "added_tokens.json";
  json tokens = fs::exists(added) ? read_json(added) : json::object();
  tokens["<image>"] = id;
  write_json(added, tokens);
}

json take_image_settings(const fs::path& folder) {
  const fs::path processor = folder / "processor_config.json", own = folder / "preprocessor_config.json";
  if (fs::exists(processor)) {
    json all = read_json(processor);
    if (all.contains("image_processor")) {
      json settings = all["image_processor"];
      all.erase("image_processor");
      write_json(processor, all);
      return settings;
    }
  }
  return fs::exists(own) ? read_json(own) : json::object();
}

// Those that are there; of a model in parts the language model's before the tower's.
std::vector<fs::path> companion_files(const ModelSource& source) {
  const std::vector<fs::path> places = source.path.empty()
                                           ? std::vector<fs::path>{source.language, source.vision}
                                           : std::vector<fs::path>{source.path};
  std::vector<fs::path> files;
  for (const char* name : kCompanions) {
    const auto place = std::find_if(places.begin(), places.end(), [name](const fs::path& folder) {
      return fs::is_regular_file(folder / name);
    });
    if (place != places.end()) files.push_back(*place / name);
  }
  return files;
}

// Whose checkpoint knows no picture token.
bool is_joined(const ModelSource& source) {
  return source.path.empty() || has_original_layout(source);
}

std::optional<Tokenizer> find_tokenizer(const ModelSource& source) {
  const fs::path folder = source.path.empty() ? source.language : source.path;
  if (!fs::exists(folder / "tokenizer.model")) return std::nullopt;
  return Tokenizer::load(folder);
}

}  // namespace

json hf_config(const LlavaConfig& config, const std::string& dtype) {
  json out = config.source;
  out.erase("quantization_config");
  out.erase(kPackedBaseKey);
  out["architectures"] = {"LlavaForConditionalGeneration"};
  out["tie_word_embeddings"] = config.language.tied_head;
  set_dtype(out, dtype);
  json& text = out["text_config"];
  set_dtype(text, dtype);
  set_dtype(out["vision_config"], dtype);
  text.erase("quantization_config");
  text["vocab_size"] = exported_vocab(config);
  text["tie_word_embeddings"] = config.language.tied_head;
  add_old_rope_keys(text);
  return out;
}

void copy_companion_files(const ModelSource& source, const LlavaConfig& config, const fs::path& folder) {
  for (const fs::path& file : companion_files(source))
    write_file_atomic(folder / file.filename(), read_file(file));
  if (!is_joined(source)) return;
  const auto tokenizer = find_tokenizer(source);
  if (!tokenizer || !tokenizer->special_id("<image>")) add_image_token(folder, config.image_token_id);
}

void settle_picture_token(const ModelSource& source, LlavaConfig& config) {
  if (!is_joined(source) || config.image_token_id < config.language.vocab) return;
  const auto tokenizer = find_tokenizer(source);
  if (!tokenizer) return;
  config.image_token_id = tokenizer->special_id("<image>").value_or(tokenizer->size());
  config.source["image_token_index"] = config.image_token_id;
}

void check_companion_files(const ModelSource& source) {
  for (const fs::path& file : companion_files(source)) {
    if (file.extension() != ".json") continue;
    const json content = read_json(file);
    require(content.is_object(), "export", "expected an object, got ", content.type_name(), " (",
            file.string(), ")");
  }
}

void write_preprocessor(const ImageTransform& transform, const fs::path& folder) {
  json out = take_image_settings(folder);
  const int size = transform.size;
  const bool pad = transform.mode == AspectMode::pad;
  const json wanted = {{"do_resize", true},
                       {"size", {{"shortest_edge", size}}},
                       {"resample", 3},  // bicubic
                       {"do_center_crop", true},
                       {"crop_size", {{"height", size}, {"width", size}}},
                       {"do_convert_rgb", true},
                       {"do_rescale", true},
                       {"rescale_factor", 1.0 / 255.0},
                       {"do_normalize", true},
                       {"image_mean", transform.mean},
                       {"image_std", transform.std}};
  for (const auto& [key, value] : wanted.items()) {
    if (!out.contains(key)) out[key] = value;
  }
  if (pad) out["image_processor_type"] = "LlavaImageProcessor";
  if (!out.contains("image_processor_type")) out["image_processor_type"] = "CLIPImageProcessor";
  if (pad || out.contains("do_pad")) out["do_pad"] = pad;
  write_json(folder / "preprocessor_config.json", out);
}

}  // namespace qslaw
