// What lies beside the weights in a Hugging Face folder.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/image_transform.h"
#include "model/load.h"

namespace qslaw {

/// In config.json of hf_base: SHA-256 of the packed weights that it holds dequantized.
inline constexpr const char* kPackedBaseKey = "qslaw_packed_base";

/// Gives a model that was joined from parts the id of its picture token in the exported folder, where its
/// configuration says that the vocabulary has none: the one that its tokenizer has, or the next one, which
/// tokenizers give to a token that is added.
void settle_picture_token(const ModelSource& source, LlavaConfig& config);

/// config.json: the model's own, with `torch_dtype` set, the vocabulary's rows as exported, no
/// quantization_config, and rotary settings under both their old and new keys.
nlohmann::json hf_config(const LlavaConfig& config, const std::string& dtype);

/// Copies tokenizer, generation, processor and chat template files that the source has. Of a model that was
/// joined from parts the picture token is added to the tokenizer as "<image>" unless it is there.
void copy_companion_files(const ModelSource& source, const LlavaConfig& config,
                          const std::filesystem::path& folder);

/// UserError for one of them that is no JSON although its name says so, which would stop the export or the
/// program that reads it.
void check_companion_files(const ModelSource& source);

/// preprocessor_config.json in `folder` for pictures prepared by `transform`. Settings that are already there
/// (in that file, or in processor_config.json, from which they are taken out) stay unless they say otherwise.
/// Padding to a square is known to LlavaImageProcessor only.
void write_preprocessor(const ImageTransform& transform, const std::filesystem::path& folder);

}  // namespace qslaw
