// Rotary position embedding of all heads at once, with its gradient; and of a new token's heads on their way
// into the cache. Letters: B batch, T tokens or slots of a cache, H heads, G heads of keys and values, S head
// size.
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

/// Projections of one new token per sequence: queries [B, 1, H * S], keys and values [B, 1, G * S].
struct NewToken {
  at::Tensor q_B1N, k_B1M, v_B1M;
};

/// Turns queries and keys as rotate_heads does, writes key and value to slot slots_B[b] (int64, below T) of
/// each sequence of a contiguous cache of either, and returns the queries, [B, H, 1, S]. cos and sin: [B, 1,
/// 1, S]. The bits of separate operators; on CUDA one kernel, where nobody looks at slots_B on the host, and
/// a slot that is not there is passed over. Not differentiable.
at::Tensor rotate_and_store(const NewToken& token, const at::Tensor& cos, const at::Tensor& sin,
                            const at::Tensor& slots_B, at::Tensor& keys_BGTS, at::Tensor& values_BGTS);

}  // namespace qslaw
