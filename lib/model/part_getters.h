// Where a model's tensors come from: a LLaVA folder, three parts, a generator of random weights, and what is
// laid over them.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "io/weight_folder.h"
#include "model/load.h"

namespace qslaw {

using Shape = std::vector<int64_t>;
/// Gives the tensor with this short name, in the file's dtype. UserError where it is missing or of another
/// shape.
using TensorGetter = std::function<at::Tensor(const std::string& name, const Shape& shape)>;

inline constexpr const char* kHeadName = "lm_head.weight";
inline constexpr const char* kEmbeddingName = "embed_tokens.weight";

/// Where each part's tensors come from.
struct PartGetters {
  TensorGetter language;  // also answers to kHeadName
  TensorGetter vision;
  TensorGetter projector;
  std::function<void()> finish;  // complains about leftovers
  std::function<bool(const std::string&)> has_vision;
};

/// With `headers` alone the weights' tensors have no data (io/weight_folder.h).
PartGetters open_parts(const ModelSource& source, const LlavaConfig& config,
                       WeightReading reading = WeightReading::tensors);

/// `base` with the tensors of `files` in the place of its own, a later file's in that of an earlier one's.
/// UserError where they bring some of a projector and not all.
PartGetters lay_over(const PartGetters& base, const std::vector<std::filesystem::path>& files,
                     const LlavaConfig& config);

/// Random weights: norms 1, biases 0, everything else by kind of layer (random_getter.cpp).
TensorGetter random_getter(uint64_t seed);

}  // namespace qslaw
