// Columns of packed weights, for products that want whole columns of W: a tile of them gives its columns of
// dX = dY W at once, summed over all rows. CPU only; on CUDA weights are dequantized whole.
#pragma once
#include "kernels/group_quant.h"

namespace qslaw {

/// Columns begin..end-1 of all rows as dequantize_packed has them, bit for bit, into `out`, contiguous [N,
/// end - begin] of its own dtype. REQUIRES: begin and end are multiples of the group size.
void dequantize_columns_into(const at::Tensor& codes, const GroupGrid& grid, int bits, int64_t begin,
                             int64_t end, at::Tensor& out);

/// The same of table codes; groups are the blocks of one absmax each.
void dequantize_table_columns_into(const at::Tensor& codes, const AbsmaxCodes& absmax,
                                   const at::Tensor& table, int bits, int64_t begin, int64_t end,
                                   at::Tensor& out);

}  // namespace qslaw
