#include "model/clip.h"

#include <ATen/ATen.h>

namespace qslaw {
namespace {

at::Tensor layer_norm(const at::Tensor& x, const Affine& norm, double eps) {
  return at::layer_norm(x, {x.size(-1)}, norm.weight.to(x.scalar_type()), norm.bias.to(x.scalar_type()), eps);
}

at::Tensor activate(const at::Tensor& x, ClipActivation activation) {
  return activation == ClipActivation::gelu ? at::gelu(x) : x * at::sigmoid(1.702 * x);
}

at::Tensor attention(const ClipBlock& block, const at::Tensor& x_NTD, int64_t heads) {
  const auto split = [&](const at::Tensor& y) {
    return y.view({y.size(0), y.size(1), heads, -1}).transpose(1, 2);
  };
  const at::Tensor attended = at::scaled_dot_product_attention(
      split(affine(x_NTD, block.q)), split(affine(x_NTD, block.k)), split(affine(x_NTD, block.v)));
  return affine(attended.transpose(1, 2).reshape(x_NTD.sizes()), block.out);
}

at::Tensor clip_block(const ClipBlock& block, const VisionConfig& config, const at::Tensor& x) {
  const at::Tensor middle = x + attention(block, layer_norm(x, block.norm1, config.norm_eps), config.heads);
  const at::Tensor inner = affine(layer_norm(middle, block.norm2, config.norm_eps), block.fc1);
  return middle + affine(activate(inner, config.activation), block.fc2);
}

at::Tensor embed_patches(const ClipTower& tower, const at::Tensor& pixels_N3SS) {
  const auto dtype = pixels_N3SS.scalar_type();
  const int64_t patch = tower.config.patch_size;
  const at::Tensor grid = at::conv2d(pixels_N3SS, tower.patch_weight_D3pp.to(dtype), {}, {patch, patch});
  const at::Tensor patches = grid.flatten(2).transpose(1, 2);
  const at::Tensor first = tower.class_embedding_D.to(dtype).expand({patches.size(0), 1, -1});
  return at::cat({first, patches}, 1) + tower.position_embedding_TD.to(dtype);
}

}  // namespace

at::Tensor affine(const at::Tensor& x, const Affine& part) {
  return at::linear(x, part.weight.to(x.scalar_type()), part.bias.to(x.scalar_type()));
}

std::vector<std::pair<std::string, Affine*>> clip_block_parts(ClipBlock& block) {
  return {{"layer_norm1", &block.norm1},
          {"self_attn.q_proj", &block.q},
          {"self_attn.k_proj", &block.k},
          {"self_attn.v_proj", &block.v},
          {"self_attn.out_proj", &block.out},
          {"layer_norm2", &block.norm2},
          {"mlp.fc1", &block.fc1},
          {"mlp.fc2", &block.fc2}};
}

at::Tensor clip_features(const ClipTower& tower, const at::Tensor& pixels_N3SS) {
  at::Tensor x = embed_patches(tower, pixels_N3SS);
  // Features of layer 0 are the embeddings behind the first norm, as in Hugging Face's hidden_states.
  x = layer_norm(x, tower.pre_norm, tower.config.norm_eps);
  for (const ClipBlock& block : tower.blocks)
    x = clip_block(block, tower.config, x);
  return tower.config.drop_class_token ? x.narrow(1, 1, x.size(1) - 1) : x;
}

}  // namespace qslaw
