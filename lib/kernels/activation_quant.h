// Quantization of activations: contracts. One range per tensor, per token (row) or per channel (column); 4, 6
// or 8 bits; asymmetric as Q-VLM's (lo and hi reach the ends of the grid) or symmetric (zero point 0). The
// arithmetic is activation_math.h's. Letters: M tokens, K channels.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

enum class ActivationAxis { tensor, token, channel };

struct ActivationFormat {
  int bits = 8;  // 4, 6 or 8
  ActivationAxis axis = ActivationAxis::token;
  bool symmetric = false;
};

/// Largest and smallest value of each range, float32: [1, 1], [M, 1] or [1, K].
struct ActivationRange {
  at::Tensor high, low;
};

/// code = clamp(round(scale * x - zero)), x^ = (code + zero) / scale; float32, shaped like the range.
struct ActivationGrid {
  at::Tensor scale, zero;
};

/// Raw minimum and maximum, no union with 0; what is not a number is passed over. x: float32, bfloat16 or
/// float16 [M, K], M and K at least 1.
ActivationRange activation_range(const at::Tensor& x_MK, ActivationAxis axis);

/// A range without width gives finite constants that restore its one value.
ActivationGrid activation_grid(const ActivationRange& range, const ActivationFormat& format);

/// int8 codes [M, K] from -2^(bits-1) to 2^(bits-1) - 1, one per byte.
at::Tensor quantize_activation(const at::Tensor& x_MK, const ActivationGrid& grid, int bits);

/// Values of int8 codes, [M, K] in `dtype`: float32, bfloat16 or float16.
at::Tensor dequantize_activation(const at::Tensor& codes_MK, const ActivationGrid& grid,
                                 at::ScalarType dtype);

/// Both at once, in x's dtype.
at::Tensor fake_quantize_activation(const at::Tensor& x_MK, const ActivationGrid& grid, int bits);

}  // namespace qslaw
