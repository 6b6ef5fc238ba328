#include "bench/memory_rates.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "bench/parts.h"
#include "bench/random_model.h"

namespace qslaw::bench {
namespace {

constexpr double kWantedShare = 0.85;

void add_kernels(const Setting& setting, Report& report, const std::string& model, double copied) {
  const LanguageConfig shape = language_shape(model);
  MemoryRates rates(setting, report, model, copied);
  const std::vector<std::pair<const char*, decltype(&add_optimizers)>> kinds = {
      {"group quantizers", add_group_quantizers},
      {"activation quantizers", add_activation_quantizers},
      {"step operators", add_step_operators},
      {"token losses", add_token_losses},
      {"optimizers", add_optimizers},
      {"cache operators", add_cache_operators}};
  for (const auto& [name, add] : kinds) {
    report.attempt(concat(name, ", ", model), [&, add = add] { add(setting, shape, rates); });
  }
  rates.report_targets();
}

}  // namespace

double copy_rate(const Setting& setting, Report& report) {
  const at::Tensor source =
      at::ones({setting.small ? 1 << 20 : 1 << 29}, at::TensorOptions(setting.device).dtype(at::kBFloat16));
  at::Tensor target = at::empty_like(source);
  const Timing timing = time_calls(setting.device, [&](int64_t) { target.copy_(source); });
  const double rate = 2.0 * static_cast<double>(source.nbytes()) / timing.median;
  nlohmann::json entry = result("copy", timing);
  entry["gigabytes_per_second"] = rate / 1e9;
  report.result(entry);
  return rate;
}

double MemoryRates::measure(const std::string& kernel, const nlohmann::json& about, int64_t bytes,
                            const std::function<void(int64_t call)>& work) {
  const Timing timing = time_calls(setting_.device, work);
  const double rate = static_cast<double>(bytes) / timing.median;
  nlohmann::json entry = result(kernel, timing);
  entry.update({{"model", model_},
                {"bytes", bytes},
                {"gigabytes_per_second", rate / 1e9},
                {"of_copy", rate / copied_}});
  entry.update(about);
  report_.result(entry);
  return rate / copied_;
}

void MemoryRates::add(const std::string& kernel, const nlohmann::json& about, int64_t bytes,
                      const std::function<void(int64_t call)>& work) {
  const double share = measure(kernel, about, bytes, work);
  const auto [place, is_first] = least_.emplace(kernel, share);
  place->second = std::min(place->second, share);
}

void MemoryRates::report_targets() {
  for (const auto& [kernel, share] : least_)
    report_.at_least(concat(kernel, ", ", model_, ": share of the copy's bytes a second"), share,
                     kWantedShare);
}

void kernel_part(const Setting& setting, Report& report) {
  at::NoGradGuard no_grad;
  const double copied = copy_rate(setting, report);
  for (const std::string& model : model_names(setting))
    add_kernels(setting, report, model, copied);
}

}  // namespace qslaw::bench
