// The packed form behind the seam `Linear`.
#pragma once
#include <memory>

#include "model/linear.h"
#include "quant/packed_weight.h"

namespace qslaw {

/// Whether the dense weight that a checkpointed part makes when it runs again (BackwardFollows in
/// model/checkpointing.h) stays for its gradient. A GPU then dequantizes twice a step in the place of three
/// times, and one block's weights exist densely (7B, 16 bits: 0.4 GB). On the CPU, where dequantizing is a
/// smaller share of a product, memory comes first.
inline bool keeps_dense_weights(at::Device device) {
  return !device.is_cpu();
}

/// Multiplies with packed codes, of which dense weights exist only meanwhile (on the CPU a tile at a time);
/// the backward pass makes dX from the same codes, or from the dense weight where it has stayed.
class PackedLinear final : public Linear {
 public:
  explicit PackedLinear(std::shared_ptr<const PackedWeight> weight)
      : PackedLinear(weight, keeps_dense_weights(weight->codes.device())) {}
  /// `keeps_dense`: in the place of keeps_dense_weights. Weights of several tiles never stay.
  PackedLinear(std::shared_ptr<const PackedWeight> weight, bool keeps_dense)
      : weight_(std::move(weight)), keeps_dense_(keeps_dense) {}
  at::Tensor forward(const at::Tensor& x) const override;
  /// Few tokens times packed weights of one format: joined_products of kernels/packed_product.h.
  std::vector<at::Tensor> joined_forward(const std::vector<const Linear*>& linears,
                                         const at::Tensor& x) const override;
  at::Tensor input_gradient(const at::Tensor& dY) const override;
  at::Tensor weight_for_both(const at::Tensor& x) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override { return weight_->dequantize(dtype); }
  int64_t weight_bytes() const override { return weight_->bytes(); }
  const PackedWeight& weight() const { return *weight_; }

 private:
  std::shared_ptr<const PackedWeight> weight_;
  bool keeps_dense_;
};

/// Takes every linear from `language`, moved to `device`.
LinearMaker packed_maker(const PackedLanguage& language, at::Device device);

/// Elements of a dense tile on the CPU: large enough to keep a product busy, small enough to stay in a
/// cache's reach.
inline constexpr int64_t kTileElements = int64_t{1} << 22;

/// x W' and dY W from packed codes. x: [..., K], gradient: [..., N], 16-bit or float32. W is dequantized in
/// their dtype: on CUDA whole (141 MB at 13824 x 5120) for one product, on the CPU tile by tile: rows of W
/// for x W', which are columns of the result, and columns of W for dY W. So each output is one sum in
/// float32, rounded once to the dtype, however many tiles there are.
at::Tensor packed_forward(const PackedWeight& weight, const at::Tensor& x,
                          int64_t tile_elements = kTileElements);
at::Tensor packed_input_gradient(const PackedWeight& weight, const at::Tensor& gradient,
                                 int64_t tile_elements = kTileElements);

}  // namespace qslaw
