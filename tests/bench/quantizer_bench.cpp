// The group quantizer's and the activation quantizer's kernels.
#include <ATen/ATen.h>

#include "bench/memory_rates.h"
#include "bench/random_model.h"
#include "kernels/activation_quant.h"
#include "kernels/group_quant.h"
#include "kernels/level_codes.h"
#include "quant/normal_float.h"

namespace qslaw::bench {
namespace {

constexpr int64_t kGroup = 128;

struct Weight {
  at::Tensor weight_NK, gamma, gradient_NK, codes, table;
  GroupGrid grid;
  AbsmaxCodes absmax;  // of the codes as table codes
};

Weight make_weight(at::Device device, int64_t rows, int64_t columns, int bits) {
  const auto options = at::TensorOptions().device(device);
  Weight w;
  w.weight_NK = (at::randn({rows, columns}, options) * 0.02).to(at::kBFloat16);
  w.grid = grid_from_range(group_range(w.weight_NK, kGroup), bits);
  w.gamma = at::ones_like(w.grid.scale);
  w.gradient_NK = at::randn({rows, columns}, options);
  w.codes = quantize_packed(w.weight_NK, w.grid, {}, bits);
  w.absmax = random_absmax(w.grid.scale.sizes(), device);
  w.table = at::linspace(-1, 1, 1 << bits, w.grid.scale.options());
  return w;
}

void add_bits(const Setting& setting, int64_t rows, int64_t columns, int bits, MemoryRates& rates) {
  const auto weights = make_copies(setting, rows * columns * 2,
                                   [&] { return make_weight(setting.device, rows, columns, bits); });
  const auto add = [&](const std::string& name, int64_t bytes,
                       const std::function<void(const Weight&)>& work) {
    rates.add(name, {{"bits", bits}, {"rows", rows}, {"columns", columns}}, bytes,
              [&](int64_t call) { work(in_turn(weights, call)); });
  };
  const Weight& w = weights[0];
  const int64_t grid = bytes_of({w.grid.scale, w.grid.zero}), gamma = bytes_of({w.gamma});
  const int64_t dense = bytes_of({w.weight_NK}), packed = bytes_of({w.codes}) + grid;
  add("quantize_packed", dense + packed,
      [&](const Weight& v) { quantize_packed(v.weight_NK, v.grid, {}, bits); });
  add("dequantize_packed", packed + dense,
      [&](const Weight& v) { dequantize_packed(v.codes, v.grid, bits, at::kBFloat16); });
  add("fake_quantize", 2 * dense + grid + gamma,
      [&](const Weight& v) { fake_quantize(v.weight_NK, v.grid, v.gamma, bits, at::kBFloat16); });
  add("gamma_gradient", dense + bytes_of({w.gradient_NK}) + grid + 2 * gamma,
      [&](const Weight& v) { gamma_gradient(v.weight_NK, v.grid, v.gamma, v.gradient_NK, bits); });
  if (bits == 8) return;  // no table of 8 bits
  add("dequantize_table", bytes_of({w.codes, w.absmax.codes, w.absmax.nested_absmax}) + dense,
      [&](const Weight& v) { dequantize_table(v.codes, v.absmax, v.table, bits, at::kBFloat16); });
}

}  // namespace

void add_group_quantizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t N = shape.ffn, K = shape.width;
  {
    const auto weights = make_copies(setting, N * K * 2, [&] {
      return at::randn({N, K}, at::TensorOptions(setting.device).dtype(at::kBFloat16));
    });
    rates.add("group_range", {{"rows", N}, {"columns", K}}, N * K * 2 + 2 * N * K / kGroup * 4,
              [&](int64_t call) { group_range(in_turn(weights, call), kGroup); });
    constexpr int kBits = 4;
    const at::Tensor levels = normal_float_table(kBits).to(setting.device);
    rates.add("level_codes", {{"bits", kBits}, {"rows", N}, {"columns", K}},
              N * K * 2 + N * K * kBits / 8 + N * K / kNormalFloatBlock * 4,
              [&](int64_t call) { level_codes(in_turn(weights, call), levels, kBits, kNormalFloatBlock); });
  }
  for (const int bits : {2, 3, 4, 8})
    add_bits(setting, N, K, bits, rates);
}

void add_activation_quantizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t M = activation_tokens(setting), K = shape.width;
  struct Input {
    at::Tensor x_MK, codes_MK;
    ActivationGrid grid;
  };
  constexpr int kBits = 8;
  const auto make = [&](ActivationAxis axis) {
    Input in;
    in.x_MK = at::randn({M, K}, at::TensorOptions(setting.device).dtype(at::kBFloat16));
    in.grid = activation_grid(activation_range(in.x_MK, axis), {kBits, axis, false});
    in.codes_MK = quantize_activation(in.x_MK, in.grid, kBits);
    return in;
  };
  const std::pair<const char*, ActivationAxis> axes[] = {{"tensor", ActivationAxis::tensor},
                                                         {"token", ActivationAxis::token},
                                                         {"channel", ActivationAxis::channel}};
  for (const auto& [axis_name, which] : axes) {
    const ActivationAxis axis = which;
    const auto inputs = make_copies(setting, M * K * 2, [&] { return make(axis); });
    const auto add = [&](const std::string& name, int64_t bytes,
                         const std::function<void(const Input&)>& work) {
      rates.add(name, {{"axis", axis_name}, {"rows", M}, {"columns", K}}, bytes,
                [&](int64_t call) { work(in_turn(inputs, call)); });
    };
    const int64_t dense = bytes_of({inputs[0].x_MK}), codes = bytes_of({inputs[0].codes_MK});
    const int64_t grid = bytes_of({inputs[0].grid.scale, inputs[0].grid.zero});
    add("activation_range", dense + grid, [&](const Input& in) { activation_range(in.x_MK, axis); });
    add("quantize_activation", dense + codes + grid,
        [&](const Input& in) { quantize_activation(in.x_MK, in.grid, kBits); });
    add("dequantize_activation", dense + codes + grid,
        [&](const Input& in) { dequantize_activation(in.codes_MK, in.grid, at::kBFloat16); });
    add("fake_quantize_activation", 2 * dense + grid,
        [&](const Input& in) { fake_quantize_activation(in.x_MK, in.grid, kBits); });
  }
}

}  // namespace qslaw::bench
