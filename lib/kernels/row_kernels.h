// The group-wise kernels over raw memory, one table of functions per instruction set; group_quant.cpp and
// activation_quant.cpp split tensors. All tables give the same bits. The files behind the tables include no
// other header with code of the project: an inline function compiled there for a newer processor could be
// linked into code that runs on an older one.
#pragma once
#include <cstdint>

#include "kernels/element.h"

namespace qslaw::cpu {

enum class Isa : int32_t;  // core/cpu_isa.h

/// Consecutive groups of weights, of one row or of several that follow each other in memory: `count` groups
/// of `size` columns (a multiple of 32), and for each its constants.
struct RowGroups {
  int64_t count, size;
  int bits;
  const float* scale;
  const int16_t* zero;
  const float* gamma;  // null: 1
};

/// Levels of table codes: value = table[code] * absmax of the group.
struct RowLevels {
  int64_t count, size;
  int bits;
  const float* absmax;
  const float* table;  // 2^bits values
};

/// The grid of one row of activations: constants of column k at [k * stride], stride 0 or 1.
struct RowGrid {
  const float* scale;
  const float* zero;
  int64_t stride;
  int bits;
};

struct RowKernels {
  /// Codes to weights of type `type`.
  void (*dequantize)(const uint8_t* codes, const RowGroups& groups, Element type, void* out);
  void (*look_up)(const uint8_t* codes, const RowLevels& levels, Element type, void* out);
  /// Weights of type `type` to packed codes; to weights on the grid; to largest and smallest of each group
  /// (zeros positive, NaN passed over).
  void (*quantize)(const void* w, Element type, const RowGroups& groups, uint8_t* codes);
  void (*fake_quantize)(const void* w, Element type, const RowGroups& groups, Element out_type, void* out);
  void (*range)(const void* w, Element type, int64_t groups, int64_t size, float* high, float* low);
  /// dL/dgamma of each group, summed in float32 in a fixed order of 16 partial sums.
  void (*gamma_gradient)(const void* w, Element type, const void* gradient, Element gradient_type,
                         const RowGroups& groups, float* out);
  /// Activations, any number of columns: codes, values on the grid, and high/low widened by this row.
  void (*activation_codes)(const void* x, Element type, int64_t columns, const RowGrid& grid, int8_t* codes);
  void (*fake_activation)(const void* x, Element type, int64_t columns, const RowGrid& grid, void* out);
  void (*widen_range)(const void* x, Element type, int64_t columns, float* high, float* low);
};

const RowKernels& row_kernels(Isa isa);

const RowKernels& plain_row_kernels();
const RowKernels& avx2_row_kernels();
const RowKernels& avx512_row_kernels();

}  // namespace qslaw::cpu
