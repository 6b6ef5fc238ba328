// A packed weight of a product as raw memory. Letters as in group_quant.h.
#pragma once
#include "kernels/group_quant.h"
#include "kernels/product_kernels.h"

namespace qslaw {

/// Valid as long as the tensors that it was made of.
struct ProductOperand {
  at::Device device;
  int64_t rows;               // N
  cpu::ProductWeight weight;  // its scale: null for table codes
  AbsmaxView absmax;          // table codes only
};

/// Codes [N, K * bits / 8] on a grid, and table codes. InternalError where their tensors do not fit together.
ProductOperand uniform_operand(const at::Tensor& codes, const GroupGrid& grid, int bits);
ProductOperand table_operand(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                             int bits);

/// Where x [..., K] times the weight goes: [..., N] of x's dtype. InternalError where there is no such
/// product.
at::Tensor product_memory(const at::Tensor& x, const ProductOperand& operand);

}  // namespace qslaw
