// RMS normalization with its gradient. Letters: M rows, D width.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// x / rms(x) * weight over the last axis: the square mean and the quotient in float32, rounded to x's dtype,
/// then the product with the weight in x's dtype (Hugging Face's order). Differentiable; keeps x and one
/// float32 per row. weight_D: any floating dtype, rounded to x's.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight_D, double eps);

/// A sum and its normalization.
struct SumAndNorm {
  at::Tensor sum, norm;
};

/// x + delta in their dtype, and rms_norm of that: what a decode step does with the result of a linear. The
/// bits of the two operators; on CUDA one kernel. Not differentiable. delta: like x.
SumAndNorm add_rms_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight_D, double eps);

/// rms_norm in LibTorch's operators: what runs in float64, and what tests compare with. The kernels add in
/// another order, the CPU's and CUDA's in one of their own each: results differ by a few float32 roundings,
/// or by one of the narrower dtype.
at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& weight_D, double eps);

}  // namespace qslaw
