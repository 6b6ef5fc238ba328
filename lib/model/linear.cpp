#include "model/linear.h"

#include <ATen/ATen.h>

#include "io/tensor_file.h"
#include "kernels/dense_product.h"

namespace qslaw {
namespace {

std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& linears, const at::Tensor& x) {
  std::vector<at::Tensor> results;
  results.reserve(linears.size());
  for (const Linear* linear : linears)
    results.push_back(linear->forward(x));
  return results;
}

}  // namespace

std::vector<at::Tensor> forward_together(const std::vector<const Linear*>& linears, const at::Tensor& x) {
  if (at::GradMode::is_enabled() || !x.is_cuda()) return forward_each(linears, x);
  return linears.front()->joined_forward(linears, x);
}

std::vector<at::Tensor> Linear::joined_forward(const std::vector<const Linear*>& linears,
                                               const at::Tensor& x) const {
  return forward_each(linears, x);
}

at::Tensor Linear::input_gradient(const at::Tensor& dY) const {
  return at::matmul(dY, dense_weight(dY.scalar_type()));
}

at::Tensor Linear::weight_for_both(const at::Tensor&) const {
  return {};
}

at::Tensor DenseLinear::forward(const at::Tensor& x) const {
  return dense_linear(x, weight_NK_.to(x.scalar_type()));
}

at::Tensor DenseLinear::dense_weight(at::ScalarType dtype) const {
  return weight_NK_.to(dtype);
}

int64_t DenseLinear::weight_bytes() const {
  return static_cast<int64_t>(weight_NK_.nbytes());
}

LinearMaker dense_maker(at::ScalarType dtype, at::Device device) {
  return [=](const LinearSpec&, const std::function<at::Tensor()>& read_weight) {
    return std::make_unique<DenseLinear>(copy_from_file(read_weight(), device, dtype));
  };
}

}  // namespace qslaw
