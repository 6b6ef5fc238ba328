#include "model/part_getters.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/log.h"
#include "io/weight_folder.h"
#include "model/original_layout.h"
#include "model/weight_names.h"

namespace qslaw {
namespace {

TensorGetter prefixed(const std::shared_ptr<WeightFolder>& weights, const std::string& prefix) {
  return [weights, prefix](const std::string& name, const Shape& shape) {
    return weights->take(prefix + name, shape);
  };
}

std::function<bool(const std::string&)> prefixed_has(const std::shared_ptr<WeightFolder>& weights,
                                                     const std::string& prefix) {
  return [weights, prefix](const std::string& name) { return weights->has(prefix + name); };
}

// Embedding and head have a row per id of the vocabulary: config.json's number is told with the tensor's.
void require_vocabulary(const WeightFolder& weights, const std::string& name, int64_t vocabulary) {
  const TensorFile* file = weights.file_of(name);
  if (file == nullptr || file->shapes.at(name).empty()) return;  // told by take
  const int64_t rows = file->shapes.at(name).front();
  require(rows == vocabulary, "weights", "tensor ", name, ": expected ", vocabulary, " rows (vocab_size of ",
          (weights.folder() / "config.json").string(), "), got ", rows, " (", file->path.string(), ")");
}

TensorGetter language_getter(const std::shared_ptr<WeightFolder>& weights, const WeightNames& names) {
  return [weights, names](const std::string& name, const Shape& shape) {
    const std::string full = name == kHeadName ? names.head : names.language + name;
    if (name == kHeadName || name == kEmbeddingName) require_vocabulary(*weights, full, shape.front());
    return weights->take(full, shape);
  };
}

void ignore_unused(WeightFolder& weights, const WeightNames& names, const LlavaConfig& config) {
  for (const auto& name : weights.names()) {
    const bool tied_copy = config.language.tied_head && name == names.head;
    if (tied_copy || is_known_unused(name, names, config.vision)) weights.ignore(name);
  }
}

PartGetters open_llava_folder(const ModelSource& source, const LlavaConfig& config, WeightReading reading) {
  auto weights = std::make_shared<WeightFolder>(WeightFolder::open(source.path, reading));
  const WeightNames names = detect_llava_names(weights->names(), source.path.string());
  ignore_unused(*weights, names, config);
  return {language_getter(weights, names), prefixed(weights, names.vision),
          prefixed(weights, names.projector), [weights] { weights->require_all_taken(); },
          prefixed_has(weights, names.vision)};
}

TensorGetter fresh_projector_getter(const ModelSource& source, const LlavaConfig& config,
                                    WeightReading reading) {
  if (reading == WeightReading::headers && source.projector.empty()) {
    return [](const std::string&, const Shape& shape) {
      return at::empty(shape, at::TensorOptions().device(at::kMeta));
    };
  }
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

PartGetters open_three_parts(const ModelSource& source, const LlavaConfig& config, WeightReading reading) {
  auto language = std::make_shared<WeightFolder>(WeightFolder::open(source.language, reading));
  auto vision = std::make_shared<WeightFolder>(WeightFolder::open(source.vision, reading));
  const WeightNames language_names = detect_language_names(language->names(), source.language.string());
  const WeightNames vision_names = detect_vision_names(vision->names(), source.vision.string());
  ignore_unused(*language, language_names, config);
  ignore_unused(*vision, vision_names, config);
  return {language_getter(language, language_names), prefixed(vision, vision_names.vision),
          fresh_projector_getter(source, config, reading),
          [language, vision] {
            language->require_all_taken();
            vision->require_all_taken();
          },
          prefixed_has(vision, vision_names.vision)};
}

// LLaVA's own layout: the tower may come from its own folder.
PartGetters open_original_folder(const ModelSource& source, const LlavaConfig& config,
                                 WeightReading reading) {
  auto weights = std::make_shared<WeightFolder>(WeightFolder::open(source.path, reading));
  const WeightNames names = detect_original_names(weights->names(), source.path.string());
  const bool own_tower = !names.vision.empty();
  const std::filesystem::path folder = own_tower ? source.path : original_tower(source);
  auto vision = own_tower ? weights : std::make_shared<WeightFolder>(WeightFolder::open(folder, reading));
  const WeightNames vision_names = own_tower ? names : detect_vision_names(vision->names(), folder.string());
  ignore_unused(*weights, names, config);
  ignore_unused(*vision, vision_names, config);
  if (weights->has(kImageNewline)) {
    weights->ignore(kImageNewline);
    log_warning(concat(kImageNewline, " is not used, as pictures are not cut into parts (",
                       source.path.string(), ")"));
  }
  const bool single = config.projector == ProjectorKind::linear;
  return {language_getter(weights, names), prefixed(vision, vision_names.vision),
          [weights, single](const std::string& name, const Shape& shape) {
            return weights->take(original_projector_name(name, single), shape);
          },
          [weights, vision] {
            weights->require_all_taken();
            vision->require_all_taken();
          },
          prefixed_has(vision, vision_names.vision)};
}

PartGetters open_base(const ModelSource& source, const LlavaConfig& config, WeightReading reading) {
  if (source.random_weights) {
    const TensorGetter random = random_getter(source.seed);
    return {random, random, fresh_projector_getter(source, config, reading), [] {},
            [](const std::string&) { return true; }};
  }
  if (source.path.empty()) return open_three_parts(source, config, reading);
  return has_original_layout(source) ? open_original_folder(source, config, reading)
                                     : open_llava_folder(source, config, reading);
}

}  // namespace

PartGetters open_parts(const ModelSource& source, const LlavaConfig& config, WeightReading reading) {
  const PartGetters base = open_base(source, config, reading);
  return source.laid_over.empty() ? base : lay_over(base, source.laid_over, config);
}

}  // namespace qslaw
