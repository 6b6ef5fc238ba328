// LLaVA's own layout (liuhaotian/llava-v1.5-7b and what its training code saves): a LLaMA checkpoint that
// also holds the projector, with a flat config.json that names the vision tower.
#pragma once
#include <filesystem>
#include <string>

#include "model/load.h"

namespace qslaw {

/// Whether the source is a folder of this layout, by its config.json. UserError when that folder has none.
bool has_original_layout(const ModelSource& source);

/// REQUIRES: has_original_layout. UserError names the file and key of what is not supported, such as
/// start and end tokens around pictures.
LlavaConfig read_original_config(const ModelSource& source);

/// Folder of the tower's configuration and, unless the checkpoint has them, weights: model.vision, or
/// mm_vision_tower where that is a folder (relative to the model's). UserError names model.vision otherwise.
/// REQUIRES: has_original_layout.
std::filesystem::path original_tower(const ModelSource& source);

/// image_aspect_ratio as a value of model.image_aspect: pad or square. UserError for anyres, LLaVA-1.6's way,
/// which cuts a picture into several. REQUIRES: `folder` has this layout.
std::string original_image_aspect(const std::filesystem::path& folder);

}  // namespace qslaw
