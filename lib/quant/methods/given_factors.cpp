#include <ATen/ATen.h>

#include "quant/methods/methods.h"
#include "quant/weight_clipping.h"

namespace qslaw {

nlohmann::json clip_row(nlohmann::json row, const ClippingFactors& factors) {
  row["clip_high"] = at::sigmoid(factors.upper).mean().item<double>();
  row["clip_low"] = at::sigmoid(factors.lower).mean().item<double>();
  return row;
}

nlohmann::json quantize_with_factors(const QuantizeTask& task, const PackedSink& sink) {
  const auto specs = linear_specs(task.config.language);
  const ClippingStart start(task.options.omniquant.start, specs, task.options.group_size);
  nlohmann::json clipped = nlohmann::json::array();
  nlohmann::json report = quantize_each(task, sink, [&](const LinearSpec& spec, const at::Tensor& weight_NK) {
    const ClippingFactors factors = start.factors(spec);
    clipped.push_back(clip_row({}, factors));
    ClippedLinear linear(weight_NK, task.options.group_size, task.options.bits);
    linear.begin_with(factors);
    return linear.pack();
  });
  for (size_t i = 0; i < specs.size(); ++i)
    report["layers"][i].update(clipped[i]);
  return report;
}

}  // namespace qslaw
