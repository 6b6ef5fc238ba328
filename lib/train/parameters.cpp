#include "train/parameters.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "model/named_tensors.h"

namespace qslaw {
namespace {

void add(ParameterGroup& group, const std::string& name, at::Tensor& tensor) {
  make_trainable(tensor);
  group.tensors.emplace_back(name, tensor);
}

ParameterGroup group_of(const std::string& name, double lr, double weight_decay, const TensorSlots& slots,
                        bool of_pictures = false) {
  ParameterGroup group{name, lr, weight_decay, {}, of_pictures};
  for (const auto& [tensor_name, tensor] : slots)
    add(group, tensor_name, *tensor);
  return group;
}

}  // namespace

void make_trainable(at::Tensor& tensor) {
  tensor = tensor.detach().to(at::kFloat);
  tensor.requires_grad_(true);
}

ParameterGroup projector_group(Llava& model, double lr) {
  return group_of("projector", lr, 0.0, projector_slots(model), true);
}

ParameterGroup vision_group(Llava& model, double lr) {
  return group_of("vision", lr, 0.0, vision_slots(model), true);
}

std::vector<ParameterGroup> language_groups(Llava& model, double lr, double weight_decay) {
  TensorSlots weights, norms;
  for (const auto& slot : language_slots(model)) {
    (slot.second->dim() == 1 ? norms : weights).push_back(slot);
  }
  std::vector<ParameterGroup> groups = {group_of("language", lr, weight_decay, weights),
                                        group_of("language_norms", lr, 0.0, norms)};
  if (model.language.config.tied_head) model.language.head_VD = model.language.embedding_VD;
  return groups;
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
    for (const auto& [name, tensor] : group.tensors)
      count += tensor.numel();
  }
  return count;
}

}  // namespace qslaw
