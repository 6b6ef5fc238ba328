#include "quant/packed_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/packed_product.h"
#include "kernels/scratch.h"
#include "model/checkpointing.h"
#include "quant/tiles.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows begin..end-1 as dense weights, in the one buffer that all layers share: valid until the next call.
// Fresh memory would be cleared by the system, page by page, for every tile of every product.
at::Tensor dense_rows(const PackedWeight& weight, at::ScalarType dtype, int64_t begin, int64_t end) {
  at::Tensor tile = scratch_matrix(end - begin, weight.columns(), weight.codes.options().dtype(dtype));
  weight.dequantize_into(begin, end, tile);
  return tile;
}

// Columns begin..end-1 of all rows, likewise.
at::Tensor dense_columns(const PackedWeight& weight, at::ScalarType dtype, int64_t begin, int64_t end) {
  at::Tensor tile = scratch_matrix(weight.rows(), end - begin, weight.codes.options().dtype(dtype));
  weight.dequantize_columns_into(begin, end, tile);
  return tile;
}

// Rows of W that a product takes at a time, and columns of W that the gradient's does: on a GPU all.
int64_t rows_at_once(const PackedWeight& weight, int64_t tile_elements) {
  const int64_t N = weight.rows();
  return weight.codes.is_cpu() ? std::min(N, tile_size(N, weight.columns(), tile_elements)) : N;
}

int64_t columns_at_once(const PackedWeight& weight, int64_t tile_elements) {
  const int64_t K = weight.columns(), multiple = std::max<int64_t>(64, weight.group_size);
  return weight.codes.is_cpu() ? std::min(K, tile_size(K, weight.rows(), tile_elements, multiple)) : K;
}

// Calls product(begin, end, those columns of `out`) for tiles of `step` columns.
template <typename Product>
void for_each_tile(at::Tensor& out, int64_t step, Product product) {
  const int64_t columns = out.size(1);
  for (int64_t begin = 0; begin < columns; begin += step) {
    const int64_t end = std::min(begin + step, columns);
    at::Tensor part = out.narrow(1, begin, end - begin);
    product(begin, end, part);
  }
}

// [..., columns] in the place of x's [..., x.size(-1)].
std::vector<int64_t> shape_with(const at::Tensor& x, int64_t columns) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = columns;
  return shape;
}

// The product over packed codes alone.
at::Tensor few_token_product(const PackedWeight& weight, const at::Tensor& x) {
  if (weight.kind == CodeKind::uniform) return packed_product(x, weight.codes, weight.grid, weight.bits);
  return packed_table_product(x, weight.codes, weight.absmax, weight.table, weight.bits);
}

bool few_tokens(const PackedWeight& weight, const at::Tensor& x) {
  const Codes kind = weight.kind == CodeKind::uniform ? Codes::uniform : Codes::table;
  return packed_product_pays(x, kind, weight.bits);
}

// Linear::weight_for_both. Tiles of a weight that stays would lie in memory otherwise than those made one by
// one, which may cost the bits; and products of few tokens need no dense weight.
at::Tensor dense_for_both(const PackedWeight& weight, const at::Tensor& x) {
  const bool whole = rows_at_once(weight, kTileElements) == weight.rows() &&
                     columns_at_once(weight, kTileElements) == weight.columns();
  if (!BackwardFollows::here() || !whole || few_tokens(weight, x)) return {};
  return weight.dequantize(x.scalar_type());
}

bool same_format(const PackedWeight& a, const PackedWeight& b) {
  return a.kind == b.kind && a.bits == b.bits && a.group_size == b.group_size && a.columns() == b.columns();
}

struct HeldWeight : torch::CustomClassHolder {
  explicit HeldWeight(std::shared_ptr<const PackedWeight> w) : weight(std::move(w)) {}
  std::shared_ptr<const PackedWeight> weight;
};

struct PackedProduct : torch::autograd::Function<PackedProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            std::shared_ptr<const PackedWeight> weight, bool keeps_dense) {
    const at::Tensor dense_NK = keeps_dense ? dense_for_both(*weight, x) : at::Tensor();
    context->save_for_backward({dense_NK});
    context->saved_data["weight"] = c10::IValue::make_capsule(c10::make_intrusive<HeldWeight>(weight));
    return dense_NK.defined() ? at::linear(x, dense_NK) : packed_forward(*weight, x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dense_NK = context->get_saved_variables()[0];
    if (dense_NK.defined()) return {at::matmul(gradients[0], dense_NK), {}, {}};
    const auto held =
        c10::static_intrusive_pointer_cast<HeldWeight>(context->saved_data["weight"].toCapsule());
    return {packed_input_gradient(*held->weight, gradients[0]), {}, {}};
  }
};

}  // namespace

// Products write their columns of the result in place: oneDNN and BLAS take a stride between rows of it
// without a copy, and nothing is put together afterward.
at::Tensor packed_forward(const PackedWeight& weight, const at::Tensor& x, int64_t tile_elements) {
  if (few_tokens(weight, x)) return few_token_product(weight, x);
  const int64_t N = weight.rows(), K = weight.columns(), step = rows_at_once(weight, tile_elements);
  if (step == N) return at::linear(x, dense_rows(weight, x.scalar_type(), 0, N));
  const at::Tensor x_MK = x.reshape({-1, K});
  at::Tensor y_MN = at::empty({x_MK.size(0), N}, x.options());
  for_each_tile(y_MN, step, [&](int64_t begin, int64_t end, at::Tensor& y) {
    at::mm_out(y, x_MK, dense_rows(weight, x.scalar_type(), begin, end).t());
  });
  return y_MN.view(shape_with(x, N));
}

at::Tensor packed_input_gradient(const PackedWeight& weight, const at::Tensor& gradient,
                                 int64_t tile_elements) {
  const at::ScalarType dtype = gradient.scalar_type();
  const int64_t N = weight.rows(), K = weight.columns(), step = columns_at_once(weight, tile_elements);
  if (step == K) return at::matmul(gradient, dense_rows(weight, dtype, 0, N));
  const at::Tensor dY_MN = gradient.reshape({-1, N});
  at::Tensor dX_MK = at::empty({dY_MN.size(0), K}, gradient.options());
  for_each_tile(dX_MK, step, [&](int64_t begin, int64_t end, at::Tensor& dX) {
    at::mm_out(dX, dY_MN, dense_columns(weight, dtype, begin, end));
  });
  return dX_MK.view(shape_with(gradient, K));
}

at::Tensor PackedLinear::forward(const at::Tensor& x) const {
  // Decoding comes here for every token: no node of the graph is made for nothing.
  if (!at::GradMode::is_enabled()) return packed_forward(*weight_, x);
  return PackedProduct::apply(x, weight_, keeps_dense_);
}

std::vector<at::Tensor> PackedLinear::joined_forward(const std::vector<const Linear*>& linears,
                                                     const at::Tensor& x) const {
  if (!few_tokens(*weight_, x)) return Linear::joined_forward(linears, x);
  std::vector<PackedOperand> operands;
  for (const Linear* linear : linears) {
    const auto* packed = dynamic_cast<const PackedLinear*>(linear);
    if (!packed || !same_format(packed->weight(), *weight_)) return Linear::joined_forward(linears, x);
    const PackedWeight& weight = packed->weight();
    operands.push_back({weight.codes, weight.grid, weight.absmax, weight.table});
  }
  return joined_products(x, operands, weight_->bits);
}

at::Tensor PackedLinear::input_gradient(const at::Tensor& dY) const {
  return packed_input_gradient(*weight_, dY);
}

at::Tensor PackedLinear::weight_for_both(const at::Tensor& x) const {
  return keeps_dense_ ? dense_for_both(*weight_, x) : at::Tensor();
}

LinearMaker packed_maker(const PackedLanguage& language, at::Device device) {
  return [language, device](const LinearSpec& spec, const std::function<at::Tensor()>&) {
    const auto found = language.weights.find(spec.name);
    QSLAW_CHECK(found != language.weights.end());
    return std::make_unique<PackedLinear>(
        device.is_cpu() ? found->second : std::make_shared<PackedWeight>(found->second->to(device)));
  };
}

}  // namespace qslaw
