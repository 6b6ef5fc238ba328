// Plain C++ versions over raw floats: the reference of the vector versions (row_kernels.h), and what runs
// where there is none.
#pragma once
#include <cstdint>

namespace qslaw::cpu {

/// A group's constants; step is scale * gamma.
struct Group {
  float scale, step, zero, gamma, top;
};

/// As group_range has it: zeros positive, NaN passed over.
void group_extremes(const float* w, int64_t n, float& high, float& low);
/// Scale and zero of n ranges.
void range_grids(const float* high, const float* low, int64_t n, int bits, float* scale, int16_t* zero);
void group_codes(const float* w, int64_t n, const Group& group, uint8_t* codes);
void group_fake_quantize(const float* w, int64_t n, const Group& group, float* out);
void group_dequantize(const uint8_t* codes, int64_t n, const Group& group, float* out);
void group_lookup(const uint8_t* codes, int64_t n, const float* table, float absmax, float* out);
/// dL/dgamma of the group. Summed in a fixed order of 16 partial sums, so that every instruction set agrees.
float group_gamma_gradient(const float* w, const float* gradient, int64_t n, const Group& group);

/// n codes of one byte each to a bit stream of n * bits / 8 bytes, and back. REQUIRES: n a multiple of 8.
void pack_row(const uint8_t* codes, int64_t n, int bits, uint8_t* packed);
void unpack_row(const uint8_t* packed, int64_t n, int bits, uint8_t* codes);

}  // namespace qslaw::cpu
