#include "quant/scale_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "io/tensor_file.h"
#include "quant/packed_linear.h"
#include "quant/quantized_product.h"
#include "quant/tiles.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ScaledProduct : torch::autograd::Function<ScaledProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gamma,
                            const at::Tensor& weight_NK, const at::Tensor& scale, const at::Tensor& zero,
                            int64_t bits) {
    context->save_for_backward({x, gamma, weight_NK, scale, zero});
    context->saved_data["bits"] = bits;
    return quantized_product(x, weight_NK, {scale, zero}, gamma, static_cast<int>(bits));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], &weight_NK = saved[2];
    const GroupGrid grid{saved[3], saved[4]};
    const int bits = static_cast<int>(context->saved_data["bits"].toInt());
    at::Tensor dX;
    if (context->needs_input_grad(0))
      dX = quantized_input_gradient(gradients[0], weight_NK, grid, gamma, bits);
    const at::Tensor dW_NK = quantized_weight_gradient(gradients[0], x);
    return {dX, gamma_gradient(weight_NK, grid, gamma, dW_NK, bits), {}, {}, {}, {}};
  }
};

}  // namespace

ScaleLinear::ScaleLinear(const LinearSpec& spec, at::Tensor weight_NK, GroupGrid grid, int bits)
    : spec_(spec), weight_NK_(std::move(weight_NK)), grid_(std::move(grid)), bits_(bits) {
  gamma_ = at::ones_like(grid_.scale).requires_grad_(true);
}

at::Tensor ScaleLinear::forward(const at::Tensor& x) const {
  return ScaledProduct::apply(x, gamma_, weight_NK_, grid_.scale, grid_.zero, bits_);
}

at::Tensor ScaleLinear::dense_weight(at::ScalarType dtype) const {
  return fake_quantize(weight_NK_, grid_, gamma_.detach(), bits_, dtype);
}

int64_t ScaleLinear::weight_bytes() const {
  return static_cast<int64_t>(weight_NK_.nbytes() + grid_.scale.nbytes() + grid_.zero.nbytes() +
                              gamma_.nbytes());
}

PackedWeight ScaleLinear::fold(int64_t group_size) const {
  PackedWeight packed;
  packed.bits = bits_;
  packed.group_size = group_size;
  packed.grid = grid_;
  packed.codes = quantize_packed(weight_NK_, grid_, gamma_.detach(), bits_);
  return packed;
}

double ScaleLinear::changed_share() const {
  constexpr int64_t kSliceElements = int64_t{1} << 22;  // so that a slice's codes take a few MB as bytes
  const at::Tensor gamma = gamma_.detach();
  const int64_t N = weight_NK_.size(0), K = weight_NK_.size(1), step = tile_size(N, K, kSliceElements);
  int64_t changed = 0;
  for (int64_t begin = 0; begin < N; begin += step) {
    const int64_t end = std::min(begin + step, N);
    const at::Tensor weight = weight_NK_.narrow(0, begin, end - begin);
    const GroupGrid grid = grid_rows(grid_, begin, end);
    const auto codes = [&](const at::Tensor& factors) {
      return unpack_codes(quantize_packed(weight, grid, factors, bits_).cpu(), bits_, K);
    };
    changed += codes({}).ne(codes(gamma.narrow(0, begin, end - begin))).sum().item<int64_t>();
  }
  return static_cast<double>(changed) / static_cast<double>(weight_NK_.numel());
}

LinearMaker scale_maker(const PackedLanguage& language, int64_t first_layer, at::Device device,
                        std::vector<ScaleLinear*>& made) {
  const LinearMaker packed = packed_maker(language, device);
  return [=, &made](const LinearSpec& spec,
                    const std::function<at::Tensor()>& read_weight) -> std::unique_ptr<Linear> {
    if (spec.layer < first_layer) return packed(spec, read_weight);
    const GroupGrid& grid = language.weights.at(spec.name)->grid;
    const at::Tensor in_file_NK = read_weight();
    auto linear =
        std::make_unique<ScaleLinear>(spec, copy_from_file(in_file_NK, device, in_file_NK.scalar_type()),
                                      GroupGrid{grid.scale.to(device), grid.zero.to(device)}, language.bits);
    made.push_back(linear.get());
    return linear;
  };
}

void begin_with(const GammaStart& start, const std::vector<ScaleLinear*>& layers) {
  at::NoGradGuard no_grad;
  for (ScaleLinear* layer : layers)
    layer->gamma().copy_(start.gamma(layer->spec()));
}

PackedLanguage fold_scales(const PackedLanguage& language, const std::vector<ScaleLinear*>& layers) {
  PackedLanguage folded = language;
  folded.method += kFolded;
  for (const ScaleLinear* layer : layers) {
    folded.weights[layer->spec().name] =
        std::make_shared<PackedWeight>(layer->fold(language.group_size).to(at::kCPU));
  }
  return folded;
}

}  // namespace qslaw
