#include "quant/packed_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/packed_product.h"
#include "kernels/scratch.h"
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

struct HeldWeight : torch::CustomClassHolder {
  explicit HeldWeight(std::shared_ptr<const PackedWeight> w) : weight(std::move(w)) {}
  std::shared_ptr<const PackedWeight> weight;
};

struct PackedProduct : torch::autograd::Function<PackedProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            std::shared_ptr<const PackedWeight> weight) {
    context->saved_data["weight"] = c10::IValue::make_capsule(c10::make_intrusive<HeldWeight>(weight));
    return packed_forward(*weight, x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held =
        c10::static_intrusive_pointer_cast<HeldWeight>(context->saved_data["weight"].toCapsule());
    return {packed_input_gradient(*held->weight, gradients[0]), at::Tensor()};
  }
};

}  // namespace

// Products write their columns of the result in place: oneDNN and BLAS take a stride between rows of it
// without a copy, and nothing is put together afterward.
at::Tensor packed_forward(const PackedWeight& weight, const at::Tensor& x, int64_t tile_elements) {
  if (few_tokens(weight, x)) return few_token_product(weight, x);
  const int64_t N = weight.rows(), K = weight.columns(), step = tile_size(N, K, tile_elements);
  if (!x.is_cpu() || N <= step) return at::linear(x, dense_rows(weight, x.scalar_type(), 0, N));
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
  const int64_t N = weight.rows(), K = weight.columns(),
                step = tile_size(K, N, tile_elements, std::max<int64_t>(64, weight.group_size));
  if (!gradient.is_cpu() || K <= step) return at::matmul(gradient, dense_rows(weight, dtype, 0, N));
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
  return PackedProduct::apply(x, weight_);
}

at::Tensor PackedLinear::input_gradient(const at::Tensor& dY) const {
  return packed_input_gradient(*weight_, dY);
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
