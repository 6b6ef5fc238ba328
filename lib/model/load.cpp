#include "model/load.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "io/tensor_file.h"
#include "model/original_layout.h"
#include "model/part_getters.h"

namespace qslaw {
namespace {

struct Placement {
  at::ScalarType dtype;
  at::Device device;
  at::Tensor operator()(const at::Tensor& tensor) const { return copy_from_file(tensor, device, dtype); }
};

Llama load_language(const TensorGetter& get, const LanguageConfig& config, const Placement& place,
                    const LinearMaker& maker, bool map_table) {
  Llama model;
  model.config = config;
  const at::Tensor table_VD = get(kEmbeddingName, {config.vocab, config.width});
  model.maps_embedding = map_table && !config.tied_head;
  model.embedding_VD = model.maps_embedding ? table_VD : place(table_VD);
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

// The one list of what a model's files must hold: `parts` complains about each tensor and about leftovers.
Llava load_parts(const PartGetters& parts, const LlavaConfig& config, const Placement& place,
                 const LinearMaker& maker, bool map_table) {
  Llava model;
  model.config = config;
  model.dtype = place.dtype;
  model.device = place.device;
  model.vision = load_vision(parts.vision, config.vision, place);
  model.projector = load_projector(parts.projector, config, place);
  model.language = load_language(parts.language, config.language, place, maker, map_table);
  parts.finish();
  return model;
}

}  // namespace

LlavaConfig read_config(const ModelSource& source) {
  if (has_original_layout(source)) return read_original_config(source);
  if (!source.path.empty()) {
    require(source.vision.empty(), "config",
            "expected no model.vision beside a model with its own tower, got ", source.vision.string(), " (",
            source.path.string(), ")");
    return read_llava_config(source.path);
  }
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

Llava load_llava(const ModelSource& source, const LlavaConfig& config, at::ScalarType dtype,
                 at::Device device, const LinearMaker& maker, EmbeddingTable table) {
  at::NoGradGuard no_grad;
  return load_parts(open_parts(source, config), config, {dtype, device}, maker,
                    table == EmbeddingTable::mapped && !source.random_weights);
}

void check_weights(const ModelSource& source, const LlavaConfig& config) {
  if (source.random_weights) return;
  const LinearMaker no_linear = [](const LinearSpec&, const std::function<at::Tensor()>&) { return nullptr; };
  load_parts(open_parts(source, config, WeightReading::headers), config, {at::kFloat, at::kMeta}, no_linear,
             false);
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
