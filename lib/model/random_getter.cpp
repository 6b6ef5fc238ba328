#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"
#include "model/part_getters.h"
#include "model/random_tensor.h"

namespace qslaw {
namespace {

bool is_lookup_table(const std::string& name) {
  return name == "embed_tokens.weight" || name.find("position_embedding") != std::string::npos ||
         name.find("class_embedding") != std::string::npos;
}

}  // namespace

// PyTorch's defaults by kind of layer: tables from N(0, 1), linears and convolutions from U(-b, b) with
// b = 1 / sqrt(inputs), which fits any width. CLIP's and LLaMA's own deviation of 0.02 suits widths in the
// thousands.
TensorGetter random_getter(uint64_t seed) {
  return [seed](const std::string& name, const Shape& shape) {
    const bool is_bias = name.size() > 4 && name.compare(name.size() - 4, 4, "bias") == 0;
    if (is_bias) return at::zeros(shape);
    if (name.find("norm") != std::string::npos) return at::ones(shape);
    const uint64_t stream = mix_seed(seed, hash_text(name));
    if (is_lookup_table(name)) return random_normal(shape, 1.0, stream);
    const int64_t inputs = c10::multiply_integers(shape) / shape[0];
    return random_uniform(shape, 1.0 / std::sqrt(static_cast<double>(inputs)), stream);
  };
}

}  // namespace qslaw
