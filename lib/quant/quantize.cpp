#include "quant/quantize.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "quant/methods/methods.h"

namespace qslaw {

const std::vector<QuantizeMethod>& quantize_methods() {
  static const std::vector<QuantizeMethod> methods = {
      {"rtn", false, quantize_rtn},
      {"omniquant", true, quantize_omniquant},
      {"nf4", false, quantize_nf4},
  };
  return methods;
}

QuantizeResult quantize_language(const QuantizeTask& task) {
  at::NoGradGuard no_grad;
  for (const LinearSpec& spec : linear_specs(task.config.language)) {
    check_group_shape(spec.name, spec.columns, task.options.bits, task.options.group_size);
  }
  for (const QuantizeMethod& method : quantize_methods()) {
    if (method.name != task.options.method) continue;
    QuantizeResult result = method.run(task);
    result.language.method = method.name;
    result.language.bits = task.options.bits;
    result.language.group_size = task.options.group_size;
    int64_t dense_bytes = 0;
    for (const LinearSpec& spec : linear_specs(task.config.language))
      dense_bytes += 2 * spec.rows * spec.columns;
    result.report["method"] = method.name;
    result.report["bits"] = task.options.bits;
    result.report["group_size"] = task.options.group_size;
    result.report["packed_bytes"] = result.language.bytes();
    result.report["dense_bytes"] = dense_bytes;
    return result;
  }
  fail("quantize", "expected a known method, got ", task.options.method);
}

nlohmann::json layer_error(const LinearSpec& spec, const at::Tensor& weight_NK, const PackedWeight& packed) {
  const at::Tensor wide = weight_NK.to(at::kFloat);
  const at::Tensor difference = packed.dequantize(at::kFloat).to(wide.device()) - wide;
  const double norm = wide.norm().item<double>();
  require(std::isfinite(norm), "quantize", spec.name, ": expected finite weights, got NaN or infinity");
  return {{"name", spec.name},
          {"rows", spec.rows},
          {"columns", spec.columns},
          {"relative_error", norm > 0 ? difference.norm().item<double>() / norm : 0.0},
          {"max_error", difference.abs().max().item<double>()}};
}

QuantizeResult quantize_each(const QuantizeTask& task,
                             const std::function<PackedWeight(const LinearSpec&, const at::Tensor&)>& pack) {
  const DecoderWeights weights(task.source, task.config);
  const auto specs = linear_specs(task.config.language);
  Progress progress("quantize", static_cast<int64_t>(specs.size()), "layers");
  QuantizeResult result;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (stop_requested()) throw Stopped("quantize was stopped; it starts over");
    const at::Tensor weight_NK = weights.weight(specs[i]).to(task.device).contiguous();
    const PackedWeight packed = pack(specs[i], weight_NK).to(at::kCPU);
    result.report["layers"].push_back(layer_error(specs[i], weight_NK.cpu(), packed));
    result.language.weights[specs[i].name] = std::make_shared<PackedWeight>(packed);
    progress.update(static_cast<int64_t>(i) + 1);
  }
  return result;
}

}  // namespace qslaw
