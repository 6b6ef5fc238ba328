// From picture features to the language model's width: `linear`, or `mlp2x_gelu` (Linear, exact GELU,
// Linear).
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"
#include "model/clip.h"

namespace qslaw {

struct Projector {
  ProjectorKind kind = ProjectorKind::mlp2x_gelu;
  Affine first;   // [D, Dv]
  Affine second;  // [D, D]; mlp2x_gelu only
};

at::Tensor project_features(const Projector& projector, const at::Tensor& features);

/// Names as in Hugging Face's multi_modal_projector ("linear_1.weight", ...), with the tensors they belong
/// to.
std::vector<std::pair<std::string, at::Tensor*>> projector_tensors(Projector& projector);

/// Shape of each of projector_tensors, in that order.
std::vector<std::vector<int64_t>> projector_shapes(ProjectorKind kind, int64_t vision_width, int64_t width);

/// PyTorch's default initialization of nn.Linear, seeded, float32.
Projector fresh_projector(ProjectorKind kind, int64_t vision_width, int64_t width, uint64_t seed);

/// A projector file of either format: Hugging Face names with any prefix, or the original `mm_projector.0/2`
/// or `mm_projector` names. UserError when a tensor is missing or of another shape.
Projector read_projector(const std::filesystem::path& path, ProjectorKind kind, int64_t vision_width,
                         int64_t width);

/// The tensors under "multi_modal_projector.".
NamedTensors projector_to_named(Projector& projector);

}  // namespace qslaw
