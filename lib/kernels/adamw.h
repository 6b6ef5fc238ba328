// AdamW (Loshchilov, Hutter, arXiv 1711.05101) over float32 tensors, through LibTorch's fused operator.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace qslaw {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
};

/// Updates leaf tensors in place from their gradients. All parameters share one learning rate.
class AdamW {
 public:
  /// `parameters` are float32 leaves on one device; they are shared, not copied.
  AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options);

  /// One update with the accumulated gradients, which are dropped afterward. Parameters without a gradient
  /// stay.
  void step(double lr);

  /// First and second moments and step counts, in parameter order: what a checkpoint keeps.
  std::vector<at::Tensor>& first_moments() { return first_; }
  std::vector<at::Tensor>& second_moments() { return second_; }
  std::vector<at::Tensor>& steps() { return steps_; }
  int64_t state_bytes() const;

 private:
  std::vector<at::Tensor> parameters_, first_, second_, steps_;
  AdamWOptions options_;
};

}  // namespace qslaw
