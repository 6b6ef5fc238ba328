// Dropout masks in a bit per entry, for keeping them until the backward pass.
#pragma once
#include <ATen/core/Tensor.h>

namespace qslaw {

/// Which entries of a mask are not 0: uint8 [ceil(n / 8)], entry i in bit i % 8 of byte i / 8. Elsewhere than
/// on the CPU a byte per entry.
at::Tensor compress_mask(const at::Tensor& mask);

/// The mask again, in the shape, dtype and device of `like`: 1 / keep where the bit is set, divided in the
/// dtype.
at::Tensor expand_mask(const at::Tensor& compressed, const at::Tensor& like, double keep);

}  // namespace qslaw
