// The packed form behind the seam `Linear`.
#pragma once
#include <memory>

#include "model/linear.h"
#include "quant/packed_weight.h"

namespace qslaw {

/// Multiplies with packed codes, dequantizing a tile of rows at a time; the backward pass makes dX from the
/// same codes.
class PackedLinear final : public Linear {
 public:
  explicit PackedLinear(std::shared_ptr<const PackedWeight> weight) : weight_(std::move(weight)) {}
  at::Tensor forward(const at::Tensor& x) const override;
  at::Tensor input_gradient(const at::Tensor& dY) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override { return weight_->dequantize(dtype); }
  int64_t weight_bytes() const override { return weight_->bytes(); }
  const PackedWeight& weight() const { return *weight_; }

 private:
  std::shared_ptr<const PackedWeight> weight_;
};

/// Takes every linear from `language`, moved to `device`.
LinearMaker packed_maker(const PackedLanguage& language, at::Device device);

/// x W' and dY W for tiles of rows, without holding the whole dense weight. x: [..., K], gradient: [..., N].
at::Tensor packed_forward(const PackedWeight& weight, const at::Tensor& x);
at::Tensor packed_input_gradient(const PackedWeight& weight, const at::Tensor& gradient);

}  // namespace qslaw
