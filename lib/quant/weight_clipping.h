// Learnable weight clipping: a linear whose group ranges shrink by learned factors (OmniQuant, arXiv
// 2308.13137, eq. 2).
#pragma once
#include "model/linear.h"
#include "quant/packed_weight.h"

namespace qslaw {

/// Clipping factors of every group before the sigmoid, float32 leaves [N, K/G]; 4.0 at the start (sigmoid
/// 0.982).
class ClippedLinear final : public Linear {
 public:
  ClippedLinear(at::Tensor weight_NK, int64_t group_size, int bits);
  at::Tensor forward(const at::Tensor& x) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override;
  int64_t weight_bytes() const override;

  at::Tensor& upper() { return upper_; }
  at::Tensor& lower() { return lower_; }
  /// Codes and grid for the present factors, by the kernels that define the quantizer.
  PackedWeight pack() const;

 private:
  at::Tensor clipped_weight() const;

  at::Tensor weight_NK_;
  int64_t group_size_;
  int bits_;
  GroupRange range_;
  at::Tensor upper_, lower_;
};

}  // namespace qslaw
