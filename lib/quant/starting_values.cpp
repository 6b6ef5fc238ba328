#include "quant/starting_values.h"

#include <ATen/ATen.h>

#include "core/text.h"

namespace qslaw {
namespace {

const char* const kUpper = "weight_quantizer.upbound_factor";
const char* const kLower = "weight_quantizer.lowbound_factor";
const char* const kDynamicScale = "weight_quantizer.dynamic_scale";
const char* const kGamma = "gamma";  // in gamma.safetensors

const char* gamma_leaf(const GroupValues& values, const LinearSpec& spec) {
  return values.has(spec, kGamma) ? kGamma : kDynamicScale;
}

}  // namespace

ClippingStart::ClippingStart(const std::filesystem::path& path, const std::vector<LinearSpec>& specs,
                             int64_t group_size)
    : values_(path, "quantize.omniquant.start", group_size) {
  values_.require_only(specs, {kUpper, kLower});
  for (const LinearSpec& spec : specs) {
    values_.require_tensor(spec, kUpper);
    values_.require_tensor(spec, kLower);
  }
}

ClippingFactors ClippingStart::factors(const LinearSpec& spec) const {
  return {values_.values(spec, kUpper), values_.values(spec, kLower)};
}

void ClippingStart::check_values(const std::vector<LinearSpec>& specs) const {
  for (const LinearSpec& spec : specs)
    factors(spec);
}

GammaStart::GammaStart(const std::filesystem::path& path, const std::vector<LinearSpec>& specs,
                       int64_t group_size, int64_t first_layer)
    : values_(path, "warmup.start", group_size), first_layer_(first_layer) {
  values_.require_only(specs, {kDynamicScale, kGamma});
  for (const LinearSpec& spec : specs) {
    const char* leaf = gamma_leaf(values_, spec);
    if (spec.layer < first_layer && !values_.has(spec, leaf)) continue;
    values_.require_tensor(spec, leaf);
    if (spec.layer < first_layer) require_ones(spec);
  }
}

void GammaStart::require_ones(const LinearSpec& spec) const {
  if (values_.values(spec, gamma_leaf(values_, spec)).eq(1).all().item<bool>()) return;
  values_.refuse(concat("expected gamma = 1 in blocks below warmup.first_layer = ", first_layer_,
                        ", got other values of ", spec.name, " (first_layer: ", spec.layer, " takes them)"));
}

at::Tensor GammaStart::gamma(const LinearSpec& spec) const {
  const at::Tensor gamma = values_.values(spec, gamma_leaf(values_, spec));
  if (gamma.eq(0).any().item<bool>())
    values_.refuse(concat("gamma of ", spec.name, ": expected numbers other than 0, got 0"));
  return gamma;
}

void GammaStart::check_values(const std::vector<LinearSpec>& specs) const {
  for (const LinearSpec& spec : specs) {
    if (spec.layer >= first_layer_) gamma(spec);
  }
}

}  // namespace qslaw
