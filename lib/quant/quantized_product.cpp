#include "quant/quantized_product.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/scratch.h"

namespace qslaw {
namespace {

at::Tensor as_rows(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

}  // namespace

at::Tensor quantized_product(const at::Tensor& x, const at::Tensor& weight_NK, const GroupGrid& grid,
                             const at::Tensor& gamma, int bits) {
  return at::linear(x, scratch_fake_quantize(weight_NK, grid, gamma, bits, x.scalar_type()));
}

at::Tensor quantized_input_gradient(const at::Tensor& gradient, const at::Tensor& weight_NK,
                                    const GroupGrid& grid, const at::Tensor& gamma, int bits) {
  return at::matmul(gradient, scratch_fake_quantize(weight_NK, grid, gamma, bits, gradient.scalar_type()));
}

at::Tensor quantized_weight_gradient(const at::Tensor& gradient, const at::Tensor& x) {
  QSLAW_CHECK(gradient.scalar_type() == x.scalar_type());
  const at::Tensor dY_NM = as_rows(gradient).t(), x_MK = as_rows(x);
  const at::ScalarType dtype = x.is_cuda() ? at::kFloat : x.scalar_type();
  at::Tensor dW_NK = scratch_matrix(dY_NM.size(0), x_MK.size(1), x.options().dtype(dtype));
  if (dtype == x.scalar_type()) return at::mm_out(dW_NK, dY_NM, x_MK);
  return at::mm_out(dW_NK, dY_NM, x_MK, dtype);
}

}  // namespace qslaw
