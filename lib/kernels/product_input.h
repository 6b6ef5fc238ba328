// Activations in the order in which the product kernels read them (product_kernels.h).
#pragma once
#include <cstdint>

namespace qslaw::cpu {

/// Column u * steps + s of a chunk of units * steps columns lies at [s][u].
struct ProductLayout {
  int64_t units, steps;
  int64_t chunk() const { return units * steps; }
  /// Elements of a token of K columns, padded to whole chunks.
  int64_t padded(int64_t columns) const { return (columns + chunk() - 1) / chunk() * chunk(); }
};

/// Writes one token's columns in that order, padded with zeros, and its sum over each group.
void order_token(const float* x, int64_t columns, int64_t group_size, ProductLayout layout, float* ordered,
                 float* sums);
/// The same for bfloat16, given as its bits.
void order_token(const uint16_t* x, int64_t columns, int64_t group_size, ProductLayout layout,
                 uint16_t* ordered, float* sums);

}  // namespace qslaw::cpu
