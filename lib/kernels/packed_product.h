// Products of few tokens with packed weights, reading nothing but the packed bytes. Letters as in
// group_quant.h; M tokens.
#pragma once
#include <vector>

#include "kernels/group_quant.h"

namespace qslaw {

/// x W^T in x's dtype, [..., N] from x [..., K] (float32, bfloat16 or float16). Sums are in float32. With
/// bfloat16 or float16 x the weights are not rounded to 16 bits, so the result is nearer to the exact one
/// than dequantizing in x's dtype; except with several tokens on CUDA, where only those of 2 to 4 bits in
/// groups of 128 and more are not (cuda/batched_product.cuh). Every output depends on its own row and token
/// only: not on M, but for the difference between one and several on CUDA, and not on the number of threads.
/// Sums have an order of their own on CUDA and for each of the CPU's instruction sets.
at::Tensor packed_product(const at::Tensor& x, const at::Tensor& codes, const GroupGrid& grid, int bits);

/// The same of table codes, on CUDA rounded with several tokens; on the CPU, levels have an error of at most
/// 2^-17 of themselves.
at::Tensor packed_table_product(const at::Tensor& x, const at::Tensor& codes, const AbsmaxCodes& absmax,
                                const at::Tensor& table, int bits);

/// A weight as codes [N, K * bits / 8] with the constants of a grid, or of a table.
struct PackedOperand {
  at::Tensor codes;
  GroupGrid grid;      // uniform codes only
  AbsmaxCodes absmax;  // table codes only
  at::Tensor table;    // table codes only; undefined: uniform codes
};

/// The products above of one x with each of these weights, which have one kind of codes, K and group size:
/// the same bits, on CUDA in one launch for up to three.
std::vector<at::Tensor> joined_products(const at::Tensor& x, const std::vector<PackedOperand>& weights,
                                        int bits);

enum class Codes { uniform, table };

/// True where the product above is faster than dequantizing W and a dense product: up to so many tokens as
/// measured for the dtype and this machine's instruction set, or estimated for CUDA.
bool packed_product_pays(const at::Tensor& x, Codes kind, int bits);

}  // namespace qslaw
