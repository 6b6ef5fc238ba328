// Learnable weight clipping: a linear whose group ranges shrink by learned factors (OmniQuant, arXiv
// 2308.13137, eq. 2).
#pragma once
#include "model/linear.h"
#include "quant/packed_weight.h"
#include "quant/starting_values.h"

namespace qslaw {

/// Clipping factors of every group before the sigmoid, float32 leaves [N, K/G]; 4.0 at the start (sigmoid
/// 0.982). The weight stays in its dtype; what is quantized of it exists only during a product.
class ClippedLinear final : public Linear {
 public:
  ClippedLinear(const at::Tensor& weight_NK, int64_t group_size, int bits);
  at::Tensor forward(const at::Tensor& x) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override;
  int64_t weight_bytes() const override;

  /// Puts these factors in the place of 4.0.
  void begin_with(const ClippingFactors& factors);

  at::Tensor& upper() { return upper_; }
  at::Tensor& lower() { return lower_; }
  /// Codes and grid for the present factors, by the kernels that define the quantizer.
  PackedWeight pack() const;

 private:
  GroupRange clipped_range() const;  // differentiable in the factors
  GroupGrid grid() const;

  at::Tensor weight_NK_;
  int64_t group_size_;
  int bits_;
  GroupRange range_;
  at::Tensor upper_, lower_;
};

}  // namespace qslaw
