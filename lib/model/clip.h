// CLIP's vision tower, up to the hidden state that LLaVA uses.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "model/config.h"

namespace qslaw {

/// weight and bias of a linear layer or a layer norm.
struct Affine {
  at::Tensor weight;
  at::Tensor bias;
};

/// x W^T + b, computed in x's dtype.
at::Tensor affine(const at::Tensor& x, const Affine& part);

struct ClipBlock {
  Affine norm1, q, k, v, out, norm2, fc1, fc2;
};

struct ClipTower {
  VisionConfig config;
  at::Tensor class_embedding_D;
  at::Tensor patch_weight_D3pp;
  at::Tensor position_embedding_TD;  // T = patches + 1
  Affine pre_norm;
  std::vector<ClipBlock> blocks;  // only those that the feature layer needs
};

/// The parts of a block with their checkpoint names ("layer_norm1", "self_attn.q_proj", ...).
std::vector<std::pair<std::string, Affine*>> clip_block_parts(ClipBlock& block);

/// Picture features [N, config.features(), D] of pixels [N, 3, image_size, image_size] in the tower's dtype.
at::Tensor clip_features(const ClipTower& tower, const at::Tensor& pixels_N3SS);

}  // namespace qslaw
