// Decoding with packed and with bfloat16 weights, as generation does it: the steps alone, behind a prompt and
// the steps that are not replayed.
#include <ATen/ATen.h>

#include "bench/parts.h"
#include "bench/random_model.h"
#include "core/error.h"
#include "model/decode.h"

namespace qslaw::bench {
namespace {

constexpr int kBits = 4;
constexpr int kRuns = 4;  // the first of which is not counted

struct Sizes {
  std::vector<int64_t> batches;
  int64_t prompt, steps;
};

Sizes sizes_of(const Setting& setting) {
  if (setting.small) return {{1, 3}, 8, 4};
  return {{1, 8, 32}, 256, 64};
}

struct DecodeRate {
  double tokens_per_second;  // new tokens, of all texts together
  bool replayed;             // by a CUDA graph
};

DecodeRate time_decode(const Setting& setting, Report& report, const std::string& model_name,
                       const std::string& name, const Llava& model, int64_t batch) {
  const Sizes sizes = sizes_of(setting);
  const LanguageConfig& config = model.language.config;
  KvCache cache(config, batch, sizes.prompt + DecodeStepper::kEagerSteps + kRuns * sizes.steps,
                at::TensorOptions(setting.device).dtype(at::kBFloat16));
  at::Tensor logits = prefill(model, text_batch(config, batch, sizes.prompt), cache);
  DecodeStepper stepper(model, cache);
  const auto decode = [&](int64_t steps) {
    for (int64_t i = 0; i < steps; ++i)
      logits = stepper.step(logits.argmax(-1));
  };
  decode(DecodeStepper::kEagerSteps);
  const Timing timing = time_steps(setting.device, kRuns, [&] { decode(sizes.steps); });
  const double step = timing.median / static_cast<double>(sizes.steps);
  const DecodeRate rate{static_cast<double>(batch) / step, stepper.replays()};
  nlohmann::json entry = result(name, timing);
  entry.update({{"model", model_name},
                {"batch", batch},
                {"prompt_tokens", sizes.prompt},
                {"steps", sizes.steps},
                {"replayed", rate.replayed},
                {"milliseconds_per_step", step * 1e3},
                {"new_tokens_per_second", rate.tokens_per_second}});
  report.result(entry);
  return rate;
}

using Rates = std::map<int64_t, DecodeRate>;  // by batch

// One model in memory at a time.
Rates rates_of(const Setting& setting, Report& report, const std::string& model_name, const std::string& name,
               const MakeLinear& make) {
  Rates rates;
  const Llava model = make_decoder(language_shape(model_name), setting.device, make);
  for (const int64_t batch : sizes_of(setting).batches)
    rates[batch] = time_decode(setting, report, model_name, name, model, batch);
  return rates;
}

// Steps queued one by one take the host's time, so that a ratio to replayed ones would say nothing.
void compare(Report& report, const std::string& model, int64_t batch, const DecodeRate& packed,
             const DecodeRate& dense) {
  const std::string what = concat("decoding, ", model, ", batch ", batch, ": 4 bits / bfloat16");
  report.attempt(what, [&] {
    const auto way = [](const DecodeRate& rate) { return rate.replayed ? "replayed" : "queued one by one"; };
    if (packed.replayed != dense.replayed)
      throw InternalError(concat("not comparable: expected steps of one kind, got 4 bits ", way(packed),
                                 ", bfloat16 ", way(dense)));
    report.at_least(what, packed.tokens_per_second / dense.tokens_per_second, batch <= 8 ? 3.0 : 1.0);
  });
}

// 4 bits / bfloat16, new tokens a second, as others have measured it on their own machines.
const nlohmann::json& published() {
  static const nlohmann::json entries = {
      {"name", "decode_published"},
      {"bitsandbytes_nf4",
       {{"1", 30.1 / 41.0},
        {"8", 168.0 / 314.0},
        {"32", 659.0 / 1228.0},
        {"source", "bitsandbytes 0.45, benchmarking/README.md: Llama-3.1-8B, H100"}}},
      {"marlin_products",
       {{"1", 3.87}, {"8", 3.87}, {"32", 3.8}, {"source", "Marlin, assets/peak.png: products alone, A10"}}},
      {"marlin_layers", {{"16", 2.2}, {"source", "Marlin, assets/models.png: layers of Llama-7B, A100"}}}};
  return entries;
}

}  // namespace

void decode_part(const Setting& setting, Report& report, const std::string& model) {
  at::NoGradGuard no_grad;
  report.result(published());
  report.attempt(concat("decoding, ", model), [&] {
    const Rates packed =
        rates_of(setting, report, model, "decode_packed", packed_linears(setting.device, kBits));
    const Rates dense =
        rates_of(setting, report, model, "decode_bfloat16", dense_linears(setting.device, at::kBFloat16));
    for (const auto& [batch, rate] : packed)
      compare(report, model, batch, rate, dense.at(batch));
  });
}

}  // namespace qslaw::bench
