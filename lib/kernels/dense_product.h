// Products with weights in x's own dtype.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// x W^T, [..., N] from x [..., K] and W [N, K] of one dtype. Few 16-bit tokens on the CPU without gradients
/// go through few_token_product, everything else through LibTorch; differentiable there.
at::Tensor dense_linear(const at::Tensor& x, const at::Tensor& weight_NK);

/// The same at the speed at which W can be read: LibTorch hands a single token of bfloat16 to a routine that
/// reads 10 GB/s on one core of an EPYC 9004, where memory gives 17. CPU tensors of float32, bfloat16 or
/// float16, W contiguous. Sums are in float32. Every output depends on its own row and token only: not on the
/// number of tokens and of threads. Not differentiable.
at::Tensor few_token_product(const at::Tensor& x, const at::Tensor& weight_NK);

}  // namespace qslaw
