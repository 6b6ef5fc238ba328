// AdamW (Loshchilov, Hutter, arXiv 1711.05101) over float32 tensors: with float32 moments through LibTorch's
// fused operator, or with moments of 8 bits (adamw_int8.h).
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "kernels/adamw_int8.h"

namespace qslaw {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  bool int8_states = false;
};

/// Updates leaf tensors in place from their gradients. All parameters share one learning rate.
class AdamW {
 public:
  /// `parameters` are float32 leaves on one device; they are shared, not copied.
  AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options);

  /// One update with the accumulated gradients, which are dropped afterward. Parameters without a gradient
  /// stay.
  void step(double lr);

  /// First and second moments, step count and what else a checkpoint keeps of parameter i, by name.
  std::vector<std::pair<std::string, at::Tensor>> states(size_t i) const;
  /// Bytes of the moments.
  int64_t state_bytes() const;

 private:
  void step_float32(const std::vector<size_t>& updated, const std::vector<at::Tensor>& steps, double lr);
  void step_int8(size_t i, double lr);

  std::vector<at::Tensor> parameters_, steps_;
  std::vector<at::Tensor> first_, second_;  // float32 states
  std::vector<Int8Moments> moments_;        // int8 states
  AdamWOptions options_;
};

}  // namespace qslaw
