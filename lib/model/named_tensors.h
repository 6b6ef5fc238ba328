// Every dense tensor of a model under the name that is written to disk.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "model/llava.h"

namespace qslaw {

using TensorSlots = std::vector<std::pair<std::string, at::Tensor*>>;

/// Embedding, norms, head (untied only) and those linears that are dense, in checkpoint order.
TensorSlots language_slots(Llava& model);
/// The tower as far as it is loaded.
TensorSlots vision_slots(Llava& model);
TensorSlots projector_slots(Llava& model);

}  // namespace qslaw
