// The product with a weight that is quantized on every pass, and what learning about its grid needs of it.
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/group_quant.h"

namespace qslaw {

/// x [..., K] times the transpose of W^ [N, K], `weight_NK` quantized on the grid in x's dtype. W^ exists
/// only meanwhile, in the buffer that all layers share. gamma: as fake_quantize has it.
at::Tensor quantized_product(const at::Tensor& x, const at::Tensor& weight_NK, const GroupGrid& grid,
                             const at::Tensor& gamma, int bits);

/// dL/dx of the same, [..., K] from dL/dy = `gradient` [..., N] in its dtype; W^ is made again.
at::Tensor quantized_input_gradient(const at::Tensor& gradient, const at::Tensor& weight_NK,
                                    const GroupGrid& grid, const at::Tensor& gamma, int bits);

/// dL/dW^ = gradient^T x of the same, contiguous [N, K] from [..., N] and [..., K] of one dtype, summed over
/// the tokens in float32. On CUDA it is float32; on the CPU, where LibTorch has no 16-bit product with
/// float32 results, each sum is rounded to x's dtype once. It lies in the buffer that all layers share, in
/// which W^ lay before: valid until the next scratch matrix (scratch.h) of its dtype.
at::Tensor quantized_weight_gradient(const at::Tensor& gradient, const at::Tensor& x);

}  // namespace qslaw
