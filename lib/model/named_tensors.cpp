#include "model/named_tensors.h"

#include "model/weight_names.h"

namespace qslaw {
namespace {

void add(TensorSlots& slots, const std::string& name, Affine& part) {
  slots.emplace_back(name + ".weight", &part.weight);
  slots.emplace_back(name + ".bias", &part.bias);
}

}  // namespace

TensorSlots language_slots(Llava& model) {
  const std::string prefix = written_names().language;
  Llama& language = model.language;
  TensorSlots slots = {{prefix + "embed_tokens.weight", &language.embedding_VD}};
  for (size_t l = 0; l < language.blocks.size(); ++l) {
    LlamaBlock& block = language.blocks[l];
    const std::string layer = prefix + "layers." + std::to_string(l) + ".";
    slots.emplace_back(layer + "input_layernorm.weight", &block.input_norm_D);
    slots.emplace_back(layer + "post_attention_layernorm.weight", &block.post_norm_D);
    for (auto& [name, linear] : block_linears(block)) {
      if (auto* dense = dynamic_cast<DenseLinear*>(linear->get())) {
        slots.emplace_back(layer + name + ".weight", &dense->weight());
      }
    }
  }
  slots.emplace_back(prefix + "norm.weight", &language.norm_D);
  if (!language.config.tied_head) slots.emplace_back(written_names().head, &language.head_VD);
  return slots;
}

TensorSlots vision_slots(Llava& model) {
  const std::string prefix = written_names().vision;
  ClipTower& tower = model.vision;
  TensorSlots slots = {{prefix + "embeddings.class_embedding", &tower.class_embedding_D},
                       {prefix + "embeddings.patch_embedding.weight", &tower.patch_weight_D3pp},
                       {prefix + "embeddings.position_embedding.weight", &tower.position_embedding_TD}};
  add(slots, prefix + "pre_layrnorm", tower.pre_norm);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    for (auto& [name, part] : clip_block_parts(tower.blocks[i])) {
      add(slots, prefix + "encoder.layers." + std::to_string(i) + "." + name, *part);
    }
  }
  return slots;
}

TensorSlots projector_slots(Llava& model) {
  TensorSlots slots;
  for (auto& [name, tensor] : projector_tensors(model.projector)) {
    slots.emplace_back(written_names().projector + name, tensor);
  }
  return slots;
}

}  // namespace qslaw
