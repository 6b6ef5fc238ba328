#include "assemble.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/files.h"
#include "core/key_error.h"
#include "core/one_line.h"
#include "data/preprocessor.h"
#include "export/hf_files.h"
#include "io/weight_folder.h"
#include "model/lora_folder.h"
#include "model/original_layout.h"
#include "quant/packed_linear.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

std::string metadata_value(const SafetensorsFile& adapter, const char* key) {
  const auto found = adapter.metadata().find(key);
  require(found != adapter.metadata().end(), "adapter", "expected metadata ", key, ", got none (",
          adapter.path().string(), ")");
  return found->second;
}

void overlay_adapter(const fs::path& path, AssembledModel& model) {
  const SafetensorsFile file(path);
  model.lora.rank = std::stoll(metadata_value(file, "rank"));
  model.lora.alpha = std::stod(metadata_value(file, "alpha"));
  model.lora.dropout = 0.0;
  model.adapter = attach_lora(model.llava.language, model.lora, model.dropout, 0, model.llava.device);
  at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : lora_tensors(model.adapter)) {
    const at::Tensor stored = file.tensor(name);
    require(stored.sizes() == tensor.sizes(), "adapter", "tensor ", name, ": expected shape ", tensor.sizes(),
            ", got ", stored.sizes(), " (", path.string(), ")");
    at::Tensor(tensor).copy_(stored);
  }
}

void overlay_given(const Artifacts& artifacts, const LlavaConfig& config, double dropout,
                   AssembledModel& model) {
  const LoraFolder folder(*artifacts.given_adapter, config);
  require_key(
      folder.base_sha256().empty() || folder.base_sha256() == packed_base(config, artifacts), "model.adapter",
      "expected the quantized base that the adapter was tuned on, packed or as hf_base exports it, got ",
      artifacts.packed ? "another one: " + artifacts.packed->string() : "a 16-bit model of its own",
      " below ", artifacts.given_adapter->string());
  model.lora = folder.options();
  model.lora.dropout = dropout;
  model.adapter = attach_lora(model.llava.language, model.lora, model.dropout, 0, model.llava.device);
  folder.lay_over(model.llava, model.adapter);
}

}  // namespace

std::optional<PackedLanguage> read_packed(const LlavaConfig& config, const Artifacts& artifacts) {
  if (!artifacts.packed) return std::nullopt;
  return read_packed_language(*artifacts.packed, linear_specs(config.language));
}

ModelSource tuned_source(const Experiment& experiment, const Artifacts& artifacts) {
  ModelSource source = experiment.recipe.model.source;
  source.laid_over = artifacts.dense;
  if (artifacts.projector) source.laid_over.push_back(*artifacts.projector);
  return source;
}

Llava load_base(const Experiment& experiment, const LlavaConfig& config, const Artifacts& artifacts,
                const LinearMaker& maker) {
  const auto& tune = experiment.recipe.tune;
  const bool trains_table = tune && tune->method == "full";
  return load_llava(tuned_source(experiment, artifacts), config, experiment.dtype, experiment.device, maker,
                    trains_table ? EmbeddingTable::copied : EmbeddingTable::mapped);
}

AssembledModel assemble_model(const Experiment& experiment, const LlavaConfig& config,
                              const Artifacts& artifacts, double dropout) {
  require_adapter_base(experiment, artifacts);
  const auto packed = read_packed(config, artifacts);
  AssembledModel model;
  model.llava = load_base(
      experiment, config, artifacts,
      packed ? packed_maker(*packed, experiment.device) : dense_maker(experiment.dtype, experiment.device));
  if (artifacts.adapter) overlay_adapter(*artifacts.adapter, model);
  if (artifacts.given_adapter) overlay_given(artifacts, config, dropout, model);
  return model;
}

void write_adapter(const fs::path& path, const std::vector<LoraLinear*>& layers, const LoraOptions& options,
                   const std::string& base_sha256) {
  write_safetensors(path, lora_tensors(layers),
                    {{"qslaw_adapter", "1"},
                     {"rank", std::to_string(options.rank)},
                     {"alpha", concat(options.alpha)},
                     {"base_sha256", base_sha256}});
}

void require_adapter_base(const Experiment& experiment, const Artifacts& artifacts) {
  if (!artifacts.adapter) return;
  require(
      metadata_value(SafetensorsFile(*artifacts.adapter), "base_sha256") == base_hash(experiment, artifacts),
      "adapter", "expected the base that the adapter was tuned on, got another one (",
      artifacts.adapter->string(), ")");
}

std::string packed_base(const LlavaConfig& config, const Artifacts& artifacts) {
  return artifacts.packed ? sha256_file(*artifacts.packed) : config.source.value(kPackedBaseKey, "");
}

std::string base_hash(const Experiment& experiment, const Artifacts& artifacts) {
  if (artifacts.packed) return artifacts.origins.at(*artifacts.packed).sha256;
  const ModelSource& source = experiment.recipe.model.source;
  std::string base = source.random_weights
                         ? concat("random weights of seed ", source.seed)
                         : WeightFolder::identity(source.path.empty() ? source.language : source.path);
  for (const fs::path& dense : artifacts.dense)
    base += artifacts.origins.at(dense).sha256;
  return sha256(base);
}

ImageTransform image_transform(const ModelOptions& model, const VisionConfig& vision) {
  const ModelSource& source = model.source;
  const bool original = has_original_layout(source);
  const fs::path folder = source.path.empty() ? source.vision
                          : original          ? original_tower(source)
                                              : source.path;
  ImageTransform transform = read_preprocessor(folder, static_cast<int>(vision.image_size));
  const bool by_config = original && model.image_aspect.empty();
  const std::string aspect = by_config ? original_image_aspect(source.path) : model.image_aspect;
  if (aspect == "pad") transform.mode = AspectMode::pad;
  if (aspect == "square") transform.mode = AspectMode::square;
  return transform;
}

Tokenizer load_tokenizer(const ModelOptions& model, const LlavaConfig& config) {
  const fs::path& folder = model.source.tokenizer_folder();
  Tokenizer tokenizer = Tokenizer::load(folder);
  const auto [token, id] = tokenizer.highest();
  require(id < config.language.vocab, "tokenizer", "expected ids of tokens below ", config.language.vocab,
          " (vocab_size of ", (folder / "config.json").string(), "), got ", id, " of \"", one_line(token),
          "\" (tokenizer in ", folder.string(), ")");
  return tokenizer;
}

EncodingContext encoding_context(const Tokenizer& tokenizer, const std::string& template_name,
                                 const LlavaConfig& config) {
  return {&tokenizer, parse_template(template_name), config.vision.features()};
}

}  // namespace qslaw
