// What a training run changes: named float32 leaves, grouped by learning rate.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "model/llava.h"
#include "model/lora.h"

namespace qslaw {

/// Tensors that share a learning rate. They are leaves that require gradients; the model holds the same
/// tensors.
struct ParameterGroup {
  std::string name;  // "lora", "gamma", "projector", "language", "vision"
  double lr = 0.0;
  double weight_decay = 0.0;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  bool of_pictures = false;  // only samples with pictures reach them: "projector", "vision"
};

/// Turns the tensor into a trainable float32 leaf in place (the model computes in its own dtype on use).
void make_trainable(at::Tensor& tensor);

/// The projector's tensors, made trainable.
ParameterGroup projector_group(Llava& model, double lr);

/// Every weight of the decoder (its linears must be dense), made trainable; norms are a second group without
/// decay.
std::vector<ParameterGroup> language_groups(Llava& model, double lr, double weight_decay);

/// Every weight of the vision tower, made trainable.
ParameterGroup vision_group(Llava& model, double lr);

/// LoRA factors, made trainable.
ParameterGroup lora_group(const std::vector<LoraLinear*>& layers, double lr, double weight_decay);

/// Total number of trained values.
int64_t count_parameters(const std::vector<ParameterGroup>& groups);

}  // namespace qslaw
