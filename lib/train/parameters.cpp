#include "train/parameters.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "model/weight_names.h"

namespace qslaw {
namespace {

void add(ParameterGroup& group, const std::string& name, at::Tensor& tensor) {
  make_trainable(tensor);
  group.tensors.emplace_back(name, tensor);
}

void add(ParameterGroup& group, const std::string& name, Affine& part) {
  add(group, name + ".weight", part.weight);
  add(group, name + ".bias", part.bias);
}

}  // namespace

void make_trainable(at::Tensor& tensor) {
  tensor = tensor.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/tensor.scalar_type() != at::kFloat);
  tensor.requires_grad_(true);
}

ParameterGroup projector_group(Llava& model, double lr) {
  ParameterGroup group{"projector", lr, 0.0, {}};
  for (auto& [name, tensor] : projector_tensors(model.projector)) {
    add(group, written_names().projector + name, *tensor);
  }
  return group;
}

std::vector<ParameterGroup> language_groups(Llava& model, double lr, double weight_decay) {
  const std::string prefix = written_names().language;
  ParameterGroup weights{"language", lr, weight_decay, {}}, norms{"language_norms", lr, 0.0, {}};
  Llama& language = model.language;
  add(weights, prefix + "embed_tokens.weight", language.embedding_VD);
  for (size_t l = 0; l < language.blocks.size(); ++l) {
    LlamaBlock& block = language.blocks[l];
    const std::string layer = prefix + "layers." + std::to_string(l) + ".";
    for (auto& [name, linear] : block_linears(block)) {
      auto* dense = dynamic_cast<DenseLinear*>(linear->get());
      QSLAW_CHECK(dense != nullptr);
      add(weights, layer + name + ".weight", dense->weight());
    }
    add(norms, layer + "input_layernorm.weight", block.input_norm_D);
    add(norms, layer + "post_attention_layernorm.weight", block.post_norm_D);
  }
  add(norms, prefix + "norm.weight", language.norm_D);
  if (language.config.tied_head) {
    language.head_VD = language.embedding_VD;
  } else {
    add(weights, written_names().head, language.head_VD);
  }
  return {weights, norms};
}

ParameterGroup vision_group(Llava& model, double lr) {
  const std::string prefix = written_names().vision;
  ParameterGroup group{"vision", lr, 0.0, {}};
  ClipTower& tower = model.vision;
  add(group, prefix + "embeddings.class_embedding", tower.class_embedding_D);
  add(group, prefix + "embeddings.patch_embedding.weight", tower.patch_weight_D3pp);
  add(group, prefix + "embeddings.position_embedding.weight", tower.position_embedding_TD);
  add(group, prefix + "pre_layrnorm", tower.pre_norm);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    for (auto& [name, part] : clip_block_parts(tower.blocks[i])) {
      add(group, prefix + "encoder.layers." + std::to_string(i) + "." + name, *part);
    }
  }
  return group;
}

ParameterGroup lora_group(const std::vector<LoraLinear*>& layers, double lr, double weight_decay) {
  ParameterGroup group{"lora", lr, weight_decay, {}};
  for (LoraLinear* layer : layers) {
    add(group, layer->name() + ".lora_A", layer->a_RK());
    add(group, layer->name() + ".lora_B", layer->b_NR());
  }
  return group;
}

int64_t count_parameters(const std::vector<ParameterGroup>& groups) {
  int64_t count = 0;
  for (const auto& group : groups) {
    for (const auto& [name, tensor] : group.tensors) count += tensor.numel();
  }
  return count;
}

}  // namespace qslaw
