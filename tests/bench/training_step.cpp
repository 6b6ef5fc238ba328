#include "bench/training_step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"
#include "kernels/adamw.h"
#include "kernels/device_memory.h"

namespace qslaw::bench {
namespace {

// Activations and what LibTorch and the driver take.
constexpr double kReservedBytes = 8e9;

double attention_flops(const StepCase& c) {
  // Two products of T tokens forward and four back, half of each behind the causal mask.
  return 6.0 * static_cast<double>(c.tokens * c.config.heads * c.config.head_size * c.config.layers);
}

LanguageConfig with_layers(LanguageConfig config, int64_t layers) {
  config.layers = layers;
  return config;
}

struct FullPlan {
  int64_t layers;
  bool int8;
};

// Weights, gradients and moments take 4 bytes each, moments of 8 bits 1 and a float32 per 256.
FullPlan plan_full_tuning(const StepCase& c) {
  if (c.setting.device.is_cpu()) return {c.config.layers, false};
  const double bytes = static_cast<double>(device_memory(c.setting.device).total) - kReservedBytes;
  const auto fits = [&](int64_t layers, double bytes_per_value) {
    const int64_t values =
        multiplied_weights(with_layers(c.config, layers)) + c.config.vocab * c.config.width;
    return static_cast<double>(values) * bytes_per_value <= bytes;
  };
  if (fits(c.config.layers, 16.0)) return {c.config.layers, false};
  int64_t layers = c.config.layers;
  while (layers > 2 && !fits(layers, 10.04))
    --layers;
  return {layers, true};
}

StepCost time_full_layers(const StepCase& all, int64_t layers, bool int8) {
  StepCase c = all;
  c.config = with_layers(all.config, layers);
  Llava model = make_decoder(c.config, c.setting.device, dense_linears(c.setting.device, at::kFloat));
  std::vector<at::Tensor> leaves;
  for (const ParameterGroup& group : language_groups(model, 1e-5, 0.0)) {
    for (const at::Tensor& tensor : tensors_of(group))
      leaves.push_back(tensor);
  }
  return time_training(c, {"full_step", Checkpointing::block, int8, full_flops(c)}, model, leaves);
}

}  // namespace

std::string checkpointing_name(Checkpointing checkpointing) {
  return checkpointing == Checkpointing::none ? "none" : "block";
}

double lora_flops(const StepCase& c) {
  double adapters = 0.0;
  for (const LinearSpec& spec : linear_specs(c.config))
    adapters += static_cast<double>(c.rank * (spec.rows + spec.columns));
  return 4.0 * static_cast<double>(multiplied_weights(c.config)) + 6.0 * adapters + attention_flops(c);
}

double full_flops(const StepCase& c) {
  return 6.0 * static_cast<double>(multiplied_weights(c.config)) + attention_flops(c);
}

std::vector<at::Tensor> tensors_of(const ParameterGroup& group) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : group.tensors)
    tensors.push_back(tensor);
  return tensors;
}

StepCost time_training(const StepCase& c, const StepKind& kind, const Llava& model,
                       const std::vector<at::Tensor>& leaves) {
  AdamWOptions adamw;
  adamw.int8_states = kind.int8_states;
  AdamW optimizer(leaves, adamw);
  const Batch batch = text_batch(c.config, 1, c.tokens);
  release_unused_device_memory(c.setting.device);  // of models and steps before
  reset_peak_device_bytes(c.setting.device);
  const Timing timing = time_steps(c.setting.device, c.setting.small ? 2 : 5, [&] {
    const at::Tensor loss = token_losses(model, batch, {kind.checkpointing, false}).nll_M.mean();
    torch::autograd::backward({loss}, {});
    optimizer.step(1e-4);
  });
  const StepCost cost{timing.median, peak_device_bytes(c.setting.device),
                      peak_reserved_device_bytes(c.setting.device)};
  QSLAW_CHECK(cost.reserved_bytes >= cost.tensor_bytes);
  nlohmann::json entry = result(kind.name, timing);
  const double rate = static_cast<double>(c.tokens) / timing.median;
  entry.update({{"model", c.model},
                {"layers", c.config.layers},
                {"tokens", c.tokens},
                {"checkpointing", checkpointing_name(kind.checkpointing)},
                {"states", kind.int8_states ? "int8" : "float32"},
                {"tokens_per_second", rate},
                {"peak_device_bytes", cost.tensor_bytes},
                {"peak_reserved_bytes", cost.reserved_bytes}});
  if (kind.flops_per_token > 0) {
    entry["flops_per_token"] = kind.flops_per_token;
    entry["teraflops"] = rate * kind.flops_per_token / 1e12;
    entry["of_bfloat16_peak"] = share_of_peak(c.setting, rate * kind.flops_per_token);
    if (c.setting.bfloat16_peak > 0) entry["bfloat16_peak_flops"] = c.setting.bfloat16_peak;
  }
  c.report.result(entry);
  return cost;
}

StepCost time_full_tuning(const StepCase& c) {
  const FullPlan plan = plan_full_tuning(c);
  const StepCost most = time_full_layers(c, plan.layers, plan.int8);
  if (plan.layers == c.config.layers) return most;
  const int64_t fewer = plan.layers / 2, apart = plan.layers - fewer, missing = c.config.layers - plan.layers;
  const StepCost half = time_full_layers(c, fewer, plan.int8);
  const auto whole = [&](auto of_most, auto of_half) {
    return of_most + missing * (of_most - of_half) / apart;
  };
  const StepCost all{whole(most.seconds, half.seconds), whole(most.tensor_bytes, half.tensor_bytes),
                     whole(most.reserved_bytes, half.reserved_bytes)};
  c.report.result({{"name", "full_step_estimated"},
                   {"model", c.model},
                   {"from_layers", {fewer, plan.layers}},
                   {"seconds", all.seconds},
                   {"peak_device_bytes", all.tensor_bytes},
                   {"peak_reserved_bytes", all.reserved_bytes}});
  return all;
}

}  // namespace qslaw::bench
