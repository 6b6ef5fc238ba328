#include "model/load.h"

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "core/error.h"
#include "core/random.h"
#include "io/weight_folder.h"
#include "model/random_tensor.h"
#include "model/weight_names.h"

namespace qslaw {
namespace {

using Shape = std::vector<int64_t>;
// Gives the tensor with this short name, in the file's dtype.
using TensorGetter = std::function<at::Tensor(const std::string& name, const Shape& shape)>;

// Where each part's tensors come from.
struct PartGetters {
  TensorGetter language;  // also answers to kHeadName
  TensorGetter vision;
  TensorGetter projector;
  std::function<void()> finish;  // complains about leftovers
  std::function<bool(const std::string&)> has_vision;
};

const char* const kHeadName = "lm_head.weight";

TensorGetter prefixed(const std::shared_ptr<WeightFolder>& weights, const std::string& prefix) {
  return [weights, prefix](const std::string& name, const Shape& shape) {
    return weights->take(prefix + name, shape);
  };
}

std::function<bool(const std::string&)> prefixed_has(const std::shared_ptr<WeightFolder>& weights,
                                                     const std::string& prefix) {
  return [weights, prefix](const std::string& name) { return weights->has(prefix + name); };
}

TensorGetter language_getter(const std::shared_ptr<WeightFolder>& weights, const WeightNames& names) {
  return [weights, names](const std::string& name, const Shape& shape) {
    return weights->take(name == kHeadName ? names.head : names.language + name, shape);
  };
}

void ignore_unused(WeightFolder& weights, const WeightNames& names, const LlavaConfig& config) {
  for (const auto& name : weights.names()) {
    const bool tied_copy = config.language.tied_head && name == names.head;
    if (tied_copy || is_known_unused(name, names, config.vision.blocks_used())) weights.ignore(name);
  }
}

PartGetters open_llava_folder(const ModelSource& source, const LlavaConfig& config) {
  auto weights = std::make_shared<WeightFolder>(WeightFolder::open(source.path));
  const WeightNames names = detect_llava_names(weights->names(), source.path.string());
  ignore_unused(*weights, names, config);
  return {language_getter(weights, names), prefixed(weights, names.vision),
          prefixed(weights, names.projector), [weights] { weights->require_all_taken(); },
          prefixed_has(weights, names.vision)};
}

// Weights of the short names' kind: norms 1, biases 0, everything else normal with deviation 0.02 (LLaMA's).
bool is_lookup_table(const std::string& name) {
  return name == "embed_tokens.weight" || name.find("position_embedding") != std::string::npos ||
         name.find("class_embedding") != std::string::npos;
}

// PyTorch's defaults by kind of layer: tables from N(0, 1), linears and convolutions from U(-b, b) with
// b = 1 / sqrt(inputs), which fits any width. CLIP's and LLaMA's own deviation of 0.02 suits widths in the
// thousands.
TensorGetter random_getter(uint64_t seed) {
  return [seed](const std::string& name, const Shape& shape) {
    const bool is_bias = name.size() > 4 && name.compare(name.size() - 4, 4, "bias") == 0;
    if (is_bias) return at::zeros(shape);
    if (name.find("norm") != std::string::npos) return at::ones(shape);
    const uint64_t stream = mix_seed(seed, hash_text(name));
    if (is_lookup_table(name)) return random_normal(shape, 1.0, stream);
    const int64_t inputs = c10::multiply_integers(shape) / shape[0];
    return random_uniform(shape, 1.0 / std::sqrt(static_cast<double>(inputs)), stream);
  };
}

TensorGetter fresh_projector_getter(const ModelSource& source, const LlavaConfig& config) {
  auto projector = std::make_shared<Projector>(
      source.projector.empty()
          ? fresh_projector(config.projector, config.vision.width, config.language.width, source.seed)
          : read_projector(source.projector, config.projector, config.vision.width, config.language.width));
  return [projector](const std::string& name, const Shape&) {
    for (const auto& [known, tensor] : projector_tensors(*projector)) {
      if (known == name) return *tensor;
    }
    QSLAW_CHECK(!"unknown projector tensor");
  };
}

PartGetters open_three_parts(const ModelSource& source, const LlavaConfig& config) {
  auto language = std::make_shared<WeightFolder>(WeightFolder::open(source.language));
  auto vision = std::make_shared<WeightFolder>(WeightFolder::open(source.vision));
  const WeightNames language_names = detect_language_names(language->names(), source.language.string());
  const WeightNames vision_names = detect_vision_names(vision->names(), source.vision.string());
  ignore_unused(*language, language_names, config);
  ignore_unused(*vision, vision_names, config);
  return {language_getter(language, language_names), prefixed(vision, vision_names.vision),
          fresh_projector_getter(source, config),
          [language, vision] {
            language->require_all_taken();
            vision->require_all_taken();
          },
          prefixed_has(vision, vision_names.vision)};
}

PartGetters open_base(const ModelSource& source, const LlavaConfig& config) {
  if (source.random_weights) {
    const TensorGetter random = random_getter(source.seed);
    return {random, random, fresh_projector_getter(source, config), [] {},
            [](const std::string&) { return true; }};
  }
  return source.path.empty() ? open_three_parts(source, config) : open_llava_folder(source, config);
}

// The tensors of files that are laid over a base, by full name.
class LaidOver {
 public:
  explicit LaidOver(const std::vector<std::filesystem::path>& paths) {
    for (const auto& path : paths) {
      const auto file = std::make_shared<SafetensorsFile>(path);
      for (const auto& [name, entry] : file->entries())
        files_[name] = file;
    }
  }

  bool has(const std::string& name) const { return files_.count(name) > 0; }

  at::Tensor take(const std::string& name, const Shape& shape) {
    const SafetensorsFile& file = *files_.at(name);
    const at::Tensor tensor = file.tensor(name);
    require(tensor.sizes() == at::IntArrayRef(shape), "model", "tensor ", name, ": expected shape ",
            at::IntArrayRef(shape), ", got ", tensor.sizes(), " (", file.path().string(), ")");
    taken_.insert(name);
    return tensor;
  }

  void require_all_taken() const {
    for (const auto& [name, file] : files_) {
      require(taken_.count(name) > 0, "model", "expected only the model's tensors, got also ", name, " (",
              file->path().string(), ")");
    }
  }

 private:
  std::map<std::string, std::shared_ptr<SafetensorsFile>> files_;
  std::set<std::string> taken_;
};

// A linear projector must not pass for the first layer of one with two.
void require_whole_projector(const LaidOver& tensors, const LlavaConfig& config) {
  Projector names_only{config.projector, {}, {}};
  std::string found, missing;
  for (const auto& [name, tensor] : projector_tensors(names_only)) {
    const std::string full = written_names().projector + name;
    (tensors.has(full) ? found : missing) = full;
  }
  require(found.empty() || missing.empty(), "model", "expected tensor ", missing, " beside the tuned ", found,
          ", got none");
}

// The base is asked even for what lies over it, so that its own leftovers can be told apart; this only maps a
// file.
TensorGetter over(const TensorGetter& base, const std::shared_ptr<LaidOver>& tensors,
                  const std::string& prefix) {
  return [base, tensors, prefix](const std::string& name, const Shape& shape) {
    const at::Tensor below = base(name, shape);
    const std::string full = name == kHeadName ? written_names().head : prefix + name;
    return tensors->has(full) ? tensors->take(full, shape) : below;
  };
}

PartGetters open_parts(const ModelSource& source, const LlavaConfig& config) {
  PartGetters base = open_base(source, config);
  if (source.laid_over.empty()) return base;
  const auto tensors = std::make_shared<LaidOver>(source.laid_over);
  require_whole_projector(*tensors, config);
  const WeightNames names = written_names();
  return {over(base.language, tensors, names.language), over(base.vision, tensors, names.vision),
          over(base.projector, tensors, names.projector),
          [tensors, finish = base.finish] {
            finish();
            tensors->require_all_taken();
          },
          base.has_vision};
}

// Copies out of the mapped file, so that no page of it stays pinned.
struct Placement {
  at::ScalarType dtype;
  at::Device device;
  at::Tensor operator()(const at::Tensor& tensor) const { return tensor.to(device, dtype, false, true); }
};

Llama load_language(const TensorGetter& get, const LanguageConfig& config, const Placement& place,
                    const LinearMaker& maker) {
  Llama model;
  model.config = config;
  model.embedding_VD = place(get("embed_tokens.weight", {config.vocab, config.width}));
  model.blocks.resize(static_cast<size_t>(config.layers));
  for (size_t l = 0; l < model.blocks.size(); ++l) {
    const std::string prefix = "layers." + std::to_string(l) + ".";
    model.blocks[l].input_norm_D = place(get(prefix + "input_layernorm.weight", {config.width}));
    model.blocks[l].post_norm_D = place(get(prefix + "post_attention_layernorm.weight", {config.width}));
  }
  for (const LinearSpec& spec : linear_specs(config)) {
    // Taken even when the maker has its own weights: this only maps the file, and leftovers can then be told
    // apart.
    const at::Tensor mapped = get(spec.name.substr(6) + ".weight", {spec.rows, spec.columns});
    const auto read = [&mapped] { return mapped; };
    const std::string leaf = spec.name.substr(spec.name.find('.', 13) + 1);  // behind "model.layers.N."
    for (auto& [name, linear] : block_linears(model.blocks[static_cast<size_t>(spec.layer)])) {
      if (name == leaf) *linear = maker(spec, read);
    }
  }
  model.norm_D = place(get("norm.weight", {config.width}));
  model.head_VD = config.tied_head ? model.embedding_VD : place(get(kHeadName, {config.vocab, config.width}));
  model.rope_frequencies = rope_frequencies(config.rope, config.head_size).to(place.device);
  return model;
}

struct AffineShapes {
  Shape weight, bias;
};

AffineShapes clip_part_shapes(const VisionConfig& config, const std::string& part) {
  const int64_t rows = part == "mlp.fc1" ? config.ffn : config.width;
  const int64_t columns = part == "mlp.fc2" ? config.ffn : config.width;
  const bool norm = part.rfind("layer_norm", 0) == 0;
  return {norm ? Shape{rows} : Shape{rows, columns}, {rows}};
}

std::string clip_block_prefix(int64_t index) {
  return "encoder.layers." + std::to_string(index) + ".";
}

ClipBlock load_clip_block(const TensorGetter& get, const VisionConfig& config, const Placement& place,
                          int64_t index) {
  ClipBlock block;
  for (auto& [name, part] : clip_block_parts(block)) {
    const AffineShapes shapes = clip_part_shapes(config, name);
    part->weight = place(get(clip_block_prefix(index) + name + ".weight", shapes.weight));
    part->bias = place(get(clip_block_prefix(index) + name + ".bias", shapes.bias));
  }
  return block;
}

ClipTower load_vision(const TensorGetter& get, const VisionConfig& config, const Placement& place) {
  const int64_t D = config.width, patch = config.patch_size;
  ClipTower tower;
  tower.config = config;
  tower.class_embedding_D = place(get("embeddings.class_embedding", {D}));
  tower.patch_weight_D3pp = place(get("embeddings.patch_embedding.weight", {D, 3, patch, patch}));
  tower.position_embedding_TD = place(get("embeddings.position_embedding.weight", {config.patches() + 1, D}));
  tower.pre_norm = {place(get("pre_layrnorm.weight", {D})), place(get("pre_layrnorm.bias", {D}))};
  for (int64_t i = 0; i < config.blocks_used(); ++i) {
    tower.blocks.push_back(load_clip_block(get, config, place, i));
  }
  return tower;
}

Projector load_projector(const TensorGetter& get, const LlavaConfig& config, const Placement& place) {
  Projector projector{config.projector, {}, {}};
  const auto shapes = projector_shapes(config.projector, config.vision.width, config.language.width);
  const auto tensors = projector_tensors(projector);
  for (size_t i = 0; i < tensors.size(); ++i)
    *tensors[i].second = place(get(tensors[i].first, shapes[i]));
  return projector;
}

}  // namespace

LlavaConfig read_config(const ModelSource& source) {
  if (!source.path.empty()) return read_llava_config(source.path);
  LlavaConfig config;
  config.language = read_language_config(source.language);
  config.vision = read_vision_config(source.vision);
  config.projector = parse_projector_kind(source.projector_kind);
  config.vision.feature_layer = source.feature_layer;
  require(source.feature_layer >= -config.vision.layers - 1 && source.feature_layer <= config.vision.layers,
          "model", "expected feature_layer within the tower's ", config.vision.layers, " layers, got ",
          source.feature_layer);
  config.image_token_id = config.language.vocab;
  config.source = compose_llava_config(config);
  return config;
}

void check_weight_names(const ModelSource& source, const LlavaConfig& config) {
  if (source.random_weights) return;
  const auto& folder = source.path.empty() ? source.language : source.path;
  const auto names = WeightFolder::list_names(folder);
  const WeightNames known = source.path.empty() ? detect_language_names(names, folder.string())
                                                : detect_llava_names(names, folder.string());
  for (const LinearSpec& spec : linear_specs(config.language)) {
    const std::string full = known.language + spec.name.substr(6) + ".weight";
    require(std::find(names.begin(), names.end(), full) != names.end(), "weights", "expected tensor ", full,
            " in ", folder.string(), ", got none");
  }
  if (source.path.empty())
    detect_vision_names(WeightFolder::list_names(source.vision), source.vision.string());
  if (!source.projector.empty())
    read_projector(source.projector, config.projector, config.vision.width, config.language.width);
}

Llava load_llava(const ModelSource& source, const LlavaConfig& config, at::ScalarType dtype,
                 at::Device device, const LinearMaker& maker) {
  at::NoGradGuard no_grad;
  const PartGetters parts = open_parts(source, config);
  const Placement place{dtype, device};
  Llava model;
  model.config = config;
  model.dtype = dtype;
  model.device = device;
  model.vision = load_vision(parts.vision, config.vision, place);
  model.projector = load_projector(parts.projector, config, place);
  model.language = load_language(parts.language, config.language, place, maker);
  parts.finish();
  return model;
}

NamedTensors unused_vision_tensors(const ModelSource& source, const LlavaConfig& config) {
  const VisionConfig& vision = config.vision;
  const PartGetters parts = open_parts(source, config);
  NamedTensors found;
  const auto add = [&](const std::string& name, const AffineShapes& shapes) {
    const std::pair<std::string, const Shape&> both[] = {{name + ".weight", shapes.weight},
                                                         {name + ".bias", shapes.bias}};
    for (const auto& [full, shape] : both) {
      if (parts.has_vision(full)) found.emplace_back(full, parts.vision(full, shape));
    }
  };
  ClipBlock names_only;
  for (int64_t i = vision.blocks_used(); i < vision.layers; ++i) {
    for (const auto& [name, part] : clip_block_parts(names_only)) {
      add(clip_block_prefix(i) + name, clip_part_shapes(vision, name));
    }
  }
  add("post_layernorm", {{vision.width}, {vision.width}});
  return found;
}

struct DecoderWeights::State {
  PartGetters parts;
};

DecoderWeights::DecoderWeights(const ModelSource& source, const LlavaConfig& config)
    : state_(std::make_shared<State>(State{open_parts(source, config)})) {}

at::Tensor DecoderWeights::weight(const LinearSpec& spec) const {
  return state_->parts.language(spec.name.substr(6) + ".weight", {spec.rows, spec.columns});
}

}  // namespace qslaw
