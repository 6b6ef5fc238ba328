#include "quant/weight_clipping.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/quant_math.h"
#include "quant/quantized_product.h"

namespace qslaw {
namespace {

constexpr double kInitialFactor = 4.0;

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x W^^T with W^ on the grid of `scale` and `zero`: made again in the backward pass, so that a block keeps no
// weight but its own. dL/dscale is the sum over the group of dL/dW^ (code - zero - [inside] W / scale): the
// rounding lets the gradient through, and none passes through the zero point (in the authors' code neither).
struct ClippedProduct : torch::autograd::Function<ClippedProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const at::Tensor& zero, const at::Tensor& weight_NK, int64_t bits) {
    context->save_for_backward({x, scale, zero, weight_NK});
    context->saved_data["bits"] = bits;
    return quantized_product(x, weight_NK, {scale, zero}, {}, static_cast<int>(bits));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight_NK = saved[3];
    const GroupGrid grid{saved[1], saved[2]};
    const int bits = static_cast<int>(context->saved_data["bits"].toInt());
    at::Tensor dX;
    if (context->needs_input_grad(0)) dX = quantized_input_gradient(gradients[0], weight_NK, grid, {}, bits);
    const at::Tensor dW_NK = quantized_weight_gradient(gradients[0], x);
    return {dX, scale_gradient(weight_NK, grid, dW_NK, bits), {}, {}, {}};
  }

  static at::Tensor scale_gradient(const at::Tensor& weight_NK, const GroupGrid& grid,
                                   const at::Tensor& dW_NK, int bits) {
    const at::Tensor inside = gamma_gradient(weight_NK, grid, at::ones_like(grid.scale), dW_NK, bits);
    // Not in the scratch buffer: dW may lie there.
    const at::Tensor products = fake_quantize(weight_NK, grid, {}, bits, at::kFloat).mul_(dW_NK);
    return (products.view({weight_NK.size(0), grid.scale.size(1), -1}).sum(-1) + inside) / grid.scale;
  }
};

}  // namespace

ClippedLinear::ClippedLinear(const at::Tensor& weight_NK, int64_t group_size, int bits)
    : weight_NK_(weight_NK.contiguous()),
      group_size_(group_size),
      bits_(bits),
      range_(group_range(weight_NK_, group_size)),
      upper_(at::full_like(range_.high, kInitialFactor).requires_grad_(true)),
      lower_(at::full_like(range_.low, kInitialFactor).requires_grad_(true)) {}

GroupRange ClippedLinear::clipped_range() const {
  return {at::sigmoid(upper_) * range_.high, at::sigmoid(lower_) * range_.low};
}

GroupGrid ClippedLinear::grid() const {
  at::NoGradGuard no_grad;
  return grid_from_range(clipped_range(), bits_);
}

void ClippedLinear::begin_with(const ClippingFactors& factors) {
  at::NoGradGuard no_grad;
  upper_.copy_(factors.upper);
  lower_.copy_(factors.lower);
}

at::Tensor ClippedLinear::forward(const at::Tensor& x) const {
  const GroupRange range = clipped_range();
  // group_scale of quant_math.h in differentiable operators.
  const at::Tensor scale = ((range.high - range.low) / ((1 << bits_) - 1)).clamp(kMinScale, kMaxScale);
  return ClippedProduct::apply(x, scale, grid().zero, weight_NK_, bits_);
}

at::Tensor ClippedLinear::dense_weight(at::ScalarType dtype) const {
  return fake_quantize(weight_NK_, grid(), {}, bits_, dtype);
}

int64_t ClippedLinear::weight_bytes() const {
  return static_cast<int64_t>(weight_NK_.nbytes());
}

PackedWeight ClippedLinear::pack() const {
  PackedWeight packed;
  packed.bits = bits_;
  packed.group_size = group_size_;
  packed.grid = grid();
  packed.codes = quantize_packed(weight_NK_, packed.grid, {}, bits_);
  return packed;
}

}  // namespace qslaw
