// Memory rates of the group-wise kernels beside that of a plain copy on the same device.
#include <ATen/ATen.h>

#include "bench/measure.h"
#include "kernels/group_quant.h"

namespace qslaw::bench {
namespace {

constexpr int64_t kGroup = 128;

struct Weight {
  at::Tensor weight_NK, gamma, gradient_NK, codes;
  GroupGrid grid;
  AbsmaxCodes absmax;  // of the codes as table codes
};

// Random ones, for the time alone.
AbsmaxCodes make_absmax(at::IntArrayRef shape, at::TensorOptions options) {
  const int64_t blocks = c10::multiply_integers(shape);
  return {at::randint(0, 256, shape, options).to(at::kByte),
          at::rand({(blocks + kAbsmaxBlock - 1) / kAbsmaxBlock}, options), at::rand({1}, options),
          at::linspace(-1, 1, 256, options)};
}

Weight make_weight(const Setting& setting, int64_t rows, int64_t columns, int bits) {
  const auto options = at::TensorOptions().device(setting.device);
  Weight w;
  w.weight_NK = (at::randn({rows, columns}, options) * 0.02).to(at::kBFloat16);
  w.grid = grid_from_range(group_range(w.weight_NK, kGroup), bits);
  w.gamma = at::ones_like(w.grid.scale);
  w.gradient_NK = at::randn({rows, columns}, options);
  w.codes = quantize_packed(w.weight_NK, w.grid, {}, bits);
  w.absmax = make_absmax(w.grid.scale.sizes(), options);
  return w;
}

int64_t bytes_of(std::initializer_list<at::Tensor> tensors) {
  int64_t bytes = 0;
  for (const at::Tensor& tensor : tensors)
    bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

double copy_rate(const Setting& setting, nlohmann::json& results) {
  const at::Tensor source =
      at::ones({setting.small ? 1 << 20 : 1 << 29}, at::TensorOptions(setting.device).dtype(at::kBFloat16));
  at::Tensor target = at::empty_like(source);
  nlohmann::json entry = result("copy", time_calls(setting.device, [&](int64_t) { target.copy_(source); }));
  const double rate = 2.0 * static_cast<double>(source.nbytes()) / entry["seconds"].get<double>();
  entry["gigabytes_per_second"] = rate / 1e9;
  results.push_back(entry);
  return rate;
}

}  // namespace

nlohmann::json kernel_results(const Setting& setting) {
  nlohmann::json results = nlohmann::json::array();
  const double copied = copy_rate(setting, results);
  const int64_t rows = setting.small ? 64 : 11008, columns = setting.small ? 256 : 4096;
  for (const int bits : {2, 3, 4, 8}) {
    std::vector<Weight> weights;
    weights.push_back(make_weight(setting, rows, columns, bits));
    const int64_t copies = copies_for(bytes_of({weights[0].weight_NK}), setting.small);
    for (int64_t i = 1; i < copies; ++i)
      weights.push_back(make_weight(setting, rows, columns, bits));
    const auto add = [&](const std::string& name, int64_t bytes,
                         const std::function<void(const Weight&)>& work) {
      const Timing timing = time_calls(
          setting.device, [&](int64_t call) { work(weights[static_cast<size_t>(call % copies)]); });
      const double rate = static_cast<double>(bytes) / timing.median;
      nlohmann::json entry = result(name, timing);
      entry.update({{"bits", bits},
                    {"rows", rows},
                    {"columns", columns},
                    {"gigabytes_per_second", rate / 1e9},
                    {"of_copy", rate / copied}});
      results.push_back(entry);
    };
    const Weight& w = weights[0];
    const int64_t grid = bytes_of({w.grid.scale, w.grid.zero}), packed = bytes_of({w.codes}) + grid;
    const int64_t dense = bytes_of({w.weight_NK}), gamma = bytes_of({w.gamma});
    add("quantize_packed", dense + packed,
        [&](const Weight& v) { quantize_packed(v.weight_NK, v.grid, {}, bits); });
    add("dequantize_packed", packed + dense,
        [&](const Weight& v) { dequantize_packed(v.codes, v.grid, bits, at::kBFloat16); });
    add("fake_quantize", 2 * dense + grid + gamma,
        [&](const Weight& v) { fake_quantize(v.weight_NK, v.grid, v.gamma, bits, at::kBFloat16); });
    add("gamma_gradient", dense + bytes_of({w.gradient_NK}) + grid + 2 * gamma,
        [&](const Weight& v) { gamma_gradient(v.weight_NK, v.grid, v.gamma, v.gradient_NK, bits); });
    if (bits == 8) continue;  // no table of 8 bits
    const at::Tensor table = at::linspace(-1, 1, 1 << bits, w.grid.scale.options());
    add("dequantize_table", bytes_of({w.codes, w.absmax.codes, w.absmax.nested_absmax}) + dense,
        [&](const Weight& v) { dequantize_table(v.codes, v.absmax, table, bits, at::kBFloat16); });
  }
  return results;
}

}  // namespace qslaw::bench
