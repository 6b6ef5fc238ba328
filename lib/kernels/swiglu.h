// SwiGLU's gate with its gradient.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// silu(gate) * up, silu rounded to the dtype before the product, as separate operators would. Both of one
/// shape and dtype. Differentiable; keeps gate and up and computes silu again in the backward pass.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// The same in LibTorch's operators: in float64 and in tests. Its exp may differ in the last bit.
at::Tensor swiglu_reference(const at::Tensor& gate, const at::Tensor& up);

}  // namespace qslaw
