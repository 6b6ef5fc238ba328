// Codes of the nearest of a few levels, relative to the largest magnitude of a block: how NF4 and the maxima
// of its blocks are quantized (docs/method.md).
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace qslaw {

/// The longest block.
inline constexpr int64_t kMaxLevelBlock = 256;

/// Of n values in their order in memory: codes as a little-endian bit stream (group_quant.h), uint8 [n * bits
/// / 8], and the largest magnitude of each block, float32 [n / block, rounded up].
struct LevelCodes {
  at::Tensor codes;
  at::Tensor absmax;
};

/// `values`: contiguous float32, bfloat16 or float16; their number a multiple of 8 unless bits is 8.
/// `levels`: float32 [2^bits], ascending, beside the values; bits 2, 3, 4 or 8. `block`: a power of two from
/// 16 to 256; the last one may be shorter, but on CUDA.
///
/// A code counts the boundaries (midpoints between neighboring levels) that value * (1 / absmax) is not
/// below. A block of zeros has the codes of 0. NaN is passed over in absmax and has the highest code, as a
/// binary search gives it. Equal on CPU and CUDA, bit for bit.
LevelCodes level_codes(const at::Tensor& values, const at::Tensor& levels, int bits, int64_t block);

}  // namespace qslaw
