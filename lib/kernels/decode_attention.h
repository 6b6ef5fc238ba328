// Attention of one new token per sequence over a cache of keys and values, at the speed at which the cache
// can be read. Letters: B sequences, H query heads, G heads of keys and values (H a multiple of it), T slots
// of the cache, S head size.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// softmax(q k^T / sqrt(S)) v over the first lengths_B[b] slots of each sequence: [B, H, 1, S] in q's dtype.
/// Query head h reads head h / (H / G). q_BH1S, and a cache in q's dtype whose last two dimensions are
/// contiguous; lengths_B: int64, on q's device, at least 1 and at most T each. Softmax and sums are in
/// float32. Not differentiable. On CUDA what is queued depends on shapes alone, and nobody looks at
/// lengths_B on the host.
at::Tensor decode_attention(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS,
                            const at::Tensor& values_BGTS, const at::Tensor& lengths_B);

/// The same in LibTorch's operators: for heads that no kernel takes (on CUDA those of other than 8, 16, ...
/// 256 elements), and in tests.
at::Tensor decode_attention_reference(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS,
                                      const at::Tensor& values_BGTS, const at::Tensor& lengths_B);

}  // namespace qslaw
