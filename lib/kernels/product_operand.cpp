#include "kernels/product_operand.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/elements.h"

namespace qslaw {

ProductOperand uniform_operand(const at::Tensor& codes, const GroupGrid& grid, int bits) {
  const int64_t K = codes.size(1) * 8 / bits;
  QSLAW_CHECK(codes.is_contiguous() && grid.scale.is_contiguous() && grid.scale.device() == codes.device());
  QSLAW_CHECK(grid.scale.dim() == 2 && grid.scale.size(0) == codes.size(0) && grid.scale.size(1) > 0);
  QSLAW_CHECK(K % grid.scale.size(1) == 0);
  QSLAW_CHECK(grid.zero.is_contiguous() && grid.zero.scalar_type() == at::kShort);
  QSLAW_CHECK(grid.zero.sizes() == grid.scale.sizes() && grid.zero.device() == codes.device());
  return {codes.device(),
          codes.size(0),
          {codes.const_data_ptr<uint8_t>(), grid.scale.const_data_ptr<float>(),
           grid.zero.const_data_ptr<int16_t>(), nullptr, K, K / grid.scale.size(1), bits},
          {}};
}

ProductOperand table_operand(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                             int bits) {
  QSLAW_CHECK(codes.is_contiguous() && table.is_contiguous() && table.numel() == int64_t{1} << bits);
  QSLAW_CHECK(table.scalar_type() == at::kFloat && table.device() == codes.device());
  const int64_t K = codes.size(1) * 8 / bits;
  const AbsmaxView view = view_of(absmax, codes);
  return {codes.device(),
          codes.size(0),
          {codes.const_data_ptr<uint8_t>(), nullptr, nullptr, table.const_data_ptr<float>(), K,
           K / absmax.codes.size(1), bits},
          view};
}

at::Tensor product_memory(const at::Tensor& x, const ProductOperand& operand) {
  const cpu::ProductWeight& weight = operand.weight;
  QSLAW_CHECK(has_kernels(x) && x.device() == operand.device);
  QSLAW_CHECK(x.dim() >= 1 && x.size(-1) == weight.columns);
  // Vectors of codes are whole groups, or a group is whole vectors.
  QSLAW_CHECK(weight.group_size >= 32 && (weight.group_size & (weight.group_size - 1)) == 0);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = operand.rows;
  return at::empty(shape, x.options());
}

}  // namespace qslaw
