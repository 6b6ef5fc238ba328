// A decoder of random weights below LoRA, of which gradients are compared.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "model/lora.h"
#include "model/random_tensor.h"
#include "seeded_decoder.h"

namespace qslaw {

struct AdaptedDecoder {
  Llava model;
  std::vector<at::Tensor> leaves;  // A and B of every linear
};

/// With dropout, and B that are not 0; the same on every device.
inline AdaptedDecoder adapted_decoder(at::Device device, const MakeSeededLinear& make,
                                      at::ScalarType dtype = at::kFloat) {
  AdaptedDecoder adapted{seeded_decoder(device, make, dtype), {}};
  const auto key = std::make_shared<DropoutKey>();
  key->seed = 5;
  uint64_t seed = 500;
  for (LoraLinear* layer : attach_lora(adapted.model.language, {4, 8.0, 0.2}, key, 7, device)) {
    layer->b_NR().copy_(random_normal(layer->b_NR().sizes().vec(), 0.2, ++seed));
    for (at::Tensor* leaf : {&layer->a_RK(), &layer->b_NR()})
      adapted.leaves.push_back(leaf->requires_grad_(true));
  }
  return adapted;
}

}  // namespace qslaw
