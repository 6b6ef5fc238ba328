// The product with a weight that is quantized on every pass, and what learning about its grid needs of it.
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/group_quant.h"

namespace qslaw {

/// x [..., K] times the transpose of W^ [N, K], `weight_NK` quantized on the grid in x's dtype. W^ exists
/// only meanwhile, in the buffer that all layers share. gamma: as fake_quantize has it.
at::Tensor quantized_product(const at::Tensor& x, const at::Tensor& weight_NK, const GroupGrid& grid,
                             const at::Tensor& gamma, int bits);

/// Of the same with dL/dy = `gradient` [..., N]; W^ is made again.
struct ProductGradients {
  at::Tensor x;          // dL/dx, x's shape and dtype
  at::Tensor weight_NK;  // dL/dW^, float32, contiguous
};
ProductGradients product_gradients(const at::Tensor& gradient, const at::Tensor& x,
                                   const at::Tensor& weight_NK, const GroupGrid& grid,
                                   const at::Tensor& gamma, int bits);

}  // namespace qslaw
