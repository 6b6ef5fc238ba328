// The largest magnitudes of table codes' blocks, quantized themselves to 8 bits ("double quantization":
// QLoRA, arXiv 2305.14314, section 3; the layout is bitsandbytes'). The kernels decode those of the blocks
// they touch.
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/quant_math.h"

namespace qslaw {

/// Of block i, row after row: absmax = map[codes[i]] * nested_absmax[i / kAbsmaxBlock] + offset.
struct AbsmaxCodes {
  at::Tensor codes;          // uint8 [N, K / G]
  at::Tensor nested_absmax;  // float32 [N * K / G / kAbsmaxBlock, rounded up]
  at::Tensor offset;         // float32 [1]
  at::Tensor map;            // float32 [256], ascending

  AbsmaxCodes to(at::Device device) const;
};

/// Their memory, for the rows of `codes` (packed weights [N, ...]) from `begin` on.
AbsmaxView view_of(const AbsmaxCodes& absmax, const at::Tensor& codes, int64_t begin = 0);

namespace cpu {

/// Blocks first..first + count - 1 of the view.
void decode_absmax(const AbsmaxView& absmax, int64_t first, int64_t count, float* out);

}  // namespace cpu
}  // namespace qslaw
