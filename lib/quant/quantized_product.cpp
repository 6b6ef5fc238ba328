#include "quant/quantized_product.h"

#include <ATen/ATen.h>

namespace qslaw {

at::Tensor quantized_product(const at::Tensor& x, const at::Tensor& weight_NK, const GroupGrid& grid,
                             const at::Tensor& gamma, int bits) {
  return at::linear(x, scratch_fake_quantize(weight_NK, grid, gamma, bits, x.scalar_type()));
}

ProductGradients product_gradients(const at::Tensor& gradient, const at::Tensor& x,
                                   const at::Tensor& weight_NK, const GroupGrid& grid,
                                   const at::Tensor& gamma, int bits) {
  const at::Tensor dY_MN = gradient.reshape({-1, gradient.size(-1)});
  const at::Tensor quantized_NK = scratch_fake_quantize(weight_NK, grid, gamma, bits, x.scalar_type());
  const at::Tensor dX = at::mm(dY_MN, quantized_NK).view(x.sizes());
  const at::Tensor x_MK = x.reshape({-1, x.size(-1)});
  return {dX, at::mm(dY_MN.t(), x_MK).to(at::kFloat).contiguous()};
}

}  // namespace qslaw
