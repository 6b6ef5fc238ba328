// What lies beside the weights in a Hugging Face folder.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/image_transform.h"
#include "model/load.h"

namespace qslaw {

/// config.json: the model's own, with `torch_dtype` set, the vocabulary's rows as exported, no
/// quantization_config, and rotary settings under both their old and new keys.
nlohmann::json hf_config(const LlavaConfig& config, const std::string& dtype);

/// Copies tokenizer, generation, processor and chat template files that the source has. A picture id behind
/// the language model's vocabulary is added to the tokenizer as "<image>".
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
