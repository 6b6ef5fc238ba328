// Products of a few tokens with packed weights over raw memory, one kernel per instruction set;
// packed_product.cpp prepares their input. As with row_kernels.h, the files behind it include no other header
// of the project.
//
// A row of codes is read in chunks of one vector register. The register is shifted instead of unpacked in
// order, so lane l of it (32 bits) holds columns l * L .. (l + 1) * L - 1 of the chunk, one after the other:
// L is 16, 8, 8, 4 for 2, 3, 4, 8 bits. The activations are put into the same order once per call. Scales are
// multiplied in once per chunk and lane, and zero points leave the sum altogether:
//   y = sum over groups of scale * (sum of code * x - zero * sum of x).
// Every output is summed in an order that depends on K, G and bits only, so results are the same for any
// number of threads and of tokens beside it; they differ in the last bits between instruction sets.
#pragma once
#include <cstdint>

#include "kernels/row_kernels.h"

namespace qslaw::cpu {

/// Packed weights [N, K]. Uniform: value = (code - zero) * scale. Table codes: value = table[code] * scale.
struct ProductWeight {
  const uint8_t* codes;
  const float* scale;           // [N, K / G]
  const int16_t* zero;          // [N, K / G]; null for table codes
  const float* table;           // 2^bits values, bits at most 4; null for uniform codes
  int64_t columns, group_size;  // a multiple of the group size; a power of two from 32 on
  int bits;
};

/// M tokens, their columns in the kernel's order: column u * steps + s of a chunk lies at [s][u], and zeros
/// behind the last column.
struct ProductInput {
  const void* x;           // [M][chunk][steps][units], float32, or bfloat16 for avx512_bf16_product
  const float* sums;       // [M, K / G]: sum over each group
  int64_t tokens;          // M
  int64_t token_elements;  // of x, per token
};

/// y[m * rows + n], in `type`.
struct ProductOutput {
  void* y;
  Element type;
  int64_t rows;  // N
};

/// Rows begin..end-1 of y.
using ProductKernel = void (*)(const ProductWeight& weight, const ProductInput& input,
                               const ProductOutput& out, int64_t begin, int64_t end);

void avx2_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                  int64_t begin, int64_t end);
void avx512_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                    int64_t begin, int64_t end);
void avx512_bf16_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                         int64_t begin, int64_t end);
/// Reference, and the version for other architectures: x in its own order (steps = 1).
void plain_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                   int64_t begin, int64_t end);

}  // namespace qslaw::cpu
