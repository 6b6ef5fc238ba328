#include "quant/packed_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/packed_product.h"
#include "kernels/scratch.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Elements of a dequantized tile: large enough to keep the product busy, small enough to stay in a cache's
// reach.
constexpr int64_t kTileElements = int64_t{1} << 22;

int64_t tile_rows(const PackedWeight& weight) {
  return std::max<int64_t>(64, kTileElements / std::max<int64_t>(weight.columns(), 1));
}

// Rows begin..end-1 as dense weights, in the one buffer that all layers share: valid until the next call.
// Fresh memory would be cleared by the system, page by page, for every tile of every product.
at::Tensor dense_tile(const PackedWeight& weight, at::ScalarType dtype, int64_t begin, int64_t end) {
  at::Tensor tile = scratch_matrix(end - begin, weight.columns(), weight.codes.options().dtype(dtype));
  weight.dequantize_into(begin, end, tile);
  return tile;
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

at::Tensor packed_forward(const PackedWeight& weight, const at::Tensor& x) {
  if (few_tokens(weight, x)) return few_token_product(weight, x);
  const int64_t N = weight.rows(), step = tile_rows(weight);
  if (N <= step) return at::linear(x, dense_tile(weight, x.scalar_type(), 0, N));
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < N; begin += step) {
    const int64_t end = std::min(begin + step, N);
    parts.push_back(at::linear(x, dense_tile(weight, x.scalar_type(), begin, end)));
  }
  return at::cat(parts, -1);
}

at::Tensor packed_input_gradient(const PackedWeight& weight, const at::Tensor& gradient) {
  const int64_t N = weight.rows(), step = tile_rows(weight);
  at::Tensor total;
  for (int64_t begin = 0; begin < N; begin += step) {
    const int64_t end = std::min(begin + step, N);
    const at::Tensor part = at::matmul(gradient.narrow(-1, begin, end - begin),
                                       dense_tile(weight, gradient.scalar_type(), begin, end));
    total = total.defined() ? total.add_(part) : part;
  }
  return total;
}

at::Tensor PackedLinear::forward(const at::Tensor& x) const {
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
