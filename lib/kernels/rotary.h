// Rotary position embedding of all heads at once, with its gradient.
// Letters: B batch, T tokens, H heads, S head size.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// Splits a projection's output x_BTN (N = H * S) into heads and turns the pairs (i, i + S/2) of each by its
/// position's angle: [B, H, T, S], a view of memory ordered [B, T, H, S], which attention takes as it is.
/// cos and sin: [T, S] or [B, 1, T, S] in x's dtype, their second half equal to the first. Each product is
/// rounded to the dtype before the sum, as separate operators would. Differentiable in x; keeps nothing of x.
at::Tensor rotate_heads(const at::Tensor& x_BTN, int64_t heads, const at::Tensor& cos, const at::Tensor& sin);

/// The same bits in LibTorch's operators: in float64 and in tests.
at::Tensor rotate_heads_reference(const at::Tensor& x_BTN, int64_t heads, const at::Tensor& cos,
                                  const at::Tensor& sin);

}  // namespace qslaw
