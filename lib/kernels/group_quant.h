// Group-wise quantization of weights: contracts and dispatch by device. Groups are G consecutive input
// columns of a row. Letters: N rows (outputs), K columns (inputs), G group size. bits is 2, 3, 4 or 8; K is a
// multiple of G, G a power of two from 32 on. Packed codes: row-major; a row is a little-endian bit stream,
// code k in bits [k * bits, (k + 1) * bits).
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/absmax_codes.h"

namespace qslaw {

/// Scale (float32) and zero point (int16) of every group, both [N, K/G].
struct GroupGrid {
  at::Tensor scale;
  at::Tensor zero;
};

/// Those of rows begin..end-1: views.
GroupGrid grid_rows(const GroupGrid& grid, int64_t begin, int64_t end);

/// UserError unless bits, group size and shape are supported; `name` says which weight.
void check_group_shape(const std::string& name, int64_t columns, int bits, int64_t group_size);

/// Largest and smallest weight of every group, float32 [N, K/G]. Zeros are positive. What is not a number is
/// passed over: a group of nothing else reaches from infinity down to -infinity, whose grid is the smallest
/// scale there is. (Whoever quantizes a checkpoint refuses NaN and infinity: quantize_each.)
struct GroupRange {
  at::Tensor high;
  at::Tensor low;
};
GroupRange group_range(const at::Tensor& weight_NK, int64_t group_size);

/// Grid of (clipped) ranges, both float32 of one shape: scale and zero as OmniQuant defines them
/// (quant_math.h).
GroupGrid grid_from_range(const GroupRange& range, int bits);

/// Packed codes, uint8 [N, K * bits / 8]. gamma: float32 [N, K/G], or undefined for 1.
at::Tensor quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                           int bits);

/// Weights of packed codes, [N, K] in `dtype`.
at::Tensor dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits, at::ScalarType dtype);

/// Rows begin..end-1 of the same into `out`, contiguous [end - begin, K] of its own dtype, so that a caller
/// can reuse one scratch buffer.
void dequantize_packed_into(const at::Tensor& codes, const GroupGrid& grid, int bits, int64_t begin,
                            int64_t end, at::Tensor& out);

/// Quantized and dequantized at once, without storing codes, [N, K] in `dtype`. Equal to
/// dequantize(quantize).
at::Tensor fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                         int bits, at::ScalarType dtype);

/// The same into `out`, contiguous [N, K] of its own dtype.
void fake_quantize_into(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma, int bits,
                        at::Tensor& out);

/// The same in the buffer that all layers share (scratch.h): valid until the next one of that dtype.
at::Tensor scratch_fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                                 int bits, at::ScalarType dtype);

/// dL/dgamma, float32 [N, K/G], from dL/dW^ [N, K] (docs/method.md, "Gradient of gamma"): float32, or on the
/// CPU also 16-bit. Sums are in float32.
at::Tensor gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                          const at::Tensor& gradient_NK, int bits);

/// uint8 codes [N, K], one per byte, packed; and back. K a multiple of 8. CPU only. The program itself packs
/// while it quantizes and unpacks where codes are compared (quant/scale_linear.cpp); to pack codes that come
/// from elsewhere is what other formats need, and the tests, which make packed weights with it.
at::Tensor pack_codes(const at::Tensor& codes_NK, int bits);
at::Tensor unpack_codes(const at::Tensor& packed, int bits, int64_t columns);

/// Weights of packed table codes (NF4 and kin): table[code] * absmax of the block of G columns.
at::Tensor dequantize_table(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                            int bits, at::ScalarType dtype);

/// Rows begin..end-1 of the same into `out`, as dequantize_packed_into does it.
void dequantize_table_into(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                           int bits, int64_t begin, int64_t end, at::Tensor& out);

}  // namespace qslaw
