// How a checkpoint wants its pictures prepared: preprocessor_config.json, or `image_processor` in
// processor_config.json, where transformers 5 writes it and looks first.
#pragma once
#include <filesystem>

#include "data/image_transform.h"

namespace qslaw {

/// Reads the settings of a checkpoint's folder (Hugging Face's CLIPImageProcessor or LlavaImageProcessor) for
/// a tower of `image_size` pixels; without any CLIP's own mean and deviation, shortest edge and center crop.
/// UserError for a value of the wrong type, and for settings that this program does not follow (another size,
/// no resizing, no crop, other filters than bicubic): pictures would differ from those that the checkpoint
/// was trained on.
ImageTransform read_preprocessor(const std::filesystem::path& folder, int image_size);

}  // namespace qslaw
