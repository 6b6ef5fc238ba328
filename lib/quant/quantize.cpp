#include "quant/quantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "io/mapped_file.h"
#include "quant/methods/methods.h"

namespace qslaw {
namespace {

// Weights compared at a time: few enough to stay in a cache.
constexpr int64_t kTileElements = 1 << 20;

double square(double value) {
  return value * value;
}

}  // namespace

const std::vector<QuantizeMethod>& quantize_methods() {
  static const std::vector<QuantizeMethod> methods = {
      {"rtn", false, quantize_rtn},
      {"omniquant", true, quantize_omniquant},
      {"nf4", false, quantize_nf4},
      {"absorbed", false, quantize_absorbed},
  };
  return methods;
}

nlohmann::json quantize_language(const QuantizeTask& task, const PackedSink& sink) {
  at::NoGradGuard no_grad;
  int64_t dense_bytes = 0, packed_bytes = 0;
  for (const LinearSpec& spec : linear_specs(task.config.language)) {
    check_group_shape(spec.name, spec.columns, task.options.bits, task.options.group_size);
    dense_bytes += 2 * spec.rows * spec.columns;
  }
  const PackedSink counted = [&](const std::string& name, const PackedWeight& weight) {
    packed_bytes += weight.bytes();
    sink(name, weight);
  };
  for (const QuantizeMethod& method : quantize_methods()) {
    if (method.name != task.options.method) continue;
    nlohmann::json report = method.run(task, counted);
    report["method"] = method.name;
    report["bits"] = task.options.bits;
    report["group_size"] = task.options.group_size;
    report["packed_bytes"] = packed_bytes;
    report["dense_bytes"] = dense_bytes;
    return report;
  }
  fail("quantize", "expected a known method, got ", task.options.method);
}

nlohmann::json layer_error(const LinearSpec& spec, const at::Tensor& weight_NK, const PackedWeight& packed) {
  double squares = 0.0, difference_squares = 0.0, largest = 0.0;
  const int64_t step = std::max<int64_t>(1, kTileElements / spec.columns);
  for (int64_t begin = 0; begin < spec.rows; begin += step) {
    const int64_t end = std::min(begin + step, spec.rows);
    const at::Tensor wide = weight_NK.narrow(0, begin, end - begin).to(at::kFloat);
    at::Tensor difference = at::empty_like(wide);
    packed.dequantize_into(begin, end, difference);
    difference.sub_(wide);
    squares += square(wide.norm().item<double>());
    difference_squares += square(difference.norm().item<double>());
    largest = std::max(largest, difference.abs_().max().item<double>());
  }
  require(std::isfinite(squares), "quantize", spec.name, ": expected finite weights, got NaN or infinity");
  return {{"name", spec.name},
          {"rows", spec.rows},
          {"columns", spec.columns},
          {"relative_error", squares > 0 ? std::sqrt(difference_squares / squares) : 0.0},
          {"max_error", largest}};
}

nlohmann::json quantize_each(const QuantizeTask& task, const PackedSink& sink,
                             const std::function<PackedWeight(const LinearSpec&, const at::Tensor&)>& pack) {
  const DecoderWeights weights(task.source, task.config);
  const auto specs = linear_specs(task.config.language);
  Progress progress("quantize", static_cast<int64_t>(specs.size()), "layers");
  nlohmann::json report;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (stop_requested()) throw Stopped("quantize was stopped; it starts over");
    const at::Tensor in_file_NK = weights.weight(specs[i]);
    const at::Tensor weight_NK = in_file_NK.to(task.device).contiguous();
    const PackedWeight packed = pack(specs[i], weight_NK).to(at::kCPU);
    report["layers"].push_back(layer_error(specs[i], weight_NK.cpu(), packed));
    sink(specs[i].name, packed);
    release_mapped_pages(in_file_NK.const_data_ptr(), in_file_NK.nbytes());
    progress.update(static_cast<int64_t>(i) + 1);
  }
  return report;
}

}  // namespace qslaw
