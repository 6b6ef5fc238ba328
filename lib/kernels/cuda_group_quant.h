// Group-wise quantization of CUDA tensors: what group_quant.h dispatches to.
#pragma once
#include "kernels/group_quant.h"

namespace qslaw {

GroupRange cuda_group_range(const at::Tensor& weight_NK, int64_t group_size);
/// Of contiguous ranges.
GroupGrid cuda_grid_from_range(const GroupRange& range, int bits);
at::Tensor cuda_quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                                int bits);
/// Into `out`, contiguous [N, K] of its own dtype; the same for those below.
void cuda_dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits, at::Tensor& out);
void cuda_fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma, int bits,
                        at::Tensor& out);
/// `groups`: of a row.
void cuda_dequantize_table(const at::Tensor& codes, const AbsmaxView& absmax, int64_t groups,
                           const at::Tensor& table, int bits, at::Tensor& out);
at::Tensor cuda_gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                               const at::Tensor& gradient_NK, int bits);

}  // namespace qslaw
