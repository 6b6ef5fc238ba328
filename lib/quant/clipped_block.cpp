#include "quant/clipped_block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "kernels/adamw.h"

namespace qslaw {
namespace {

at::Tensor masked_error(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask_BT1) {
  const at::Tensor squared = (output.to(at::kFloat) - target.to(at::kFloat)).square() * mask_BT1;
  return squared.sum() / (mask_BT1.sum() * output.size(-1));
}

}  // namespace

void add_batch(CalibrationState& state, const at::Tensor& full_BTD, const at::Tensor& quantized_BTD,
               const at::Tensor& lengths_B, const at::Tensor& rope_frequencies) {
  const int64_t T = full_BTD.size(1);
  state.targets_BTD.push_back(full_BTD);
  state.quantized_BTD.push_back(quantized_BTD);
  state.mask_BT1.push_back(
      (at::arange(T).unsqueeze(0) < lengths_B.unsqueeze(1)).unsqueeze(-1).to(full_BTD.device()));
  state.rope.push_back(rope_table_of_length(rope_frequencies, T, full_BTD.scalar_type()));
}

void advance(const LlamaBlock& block, const LanguageConfig& config, const std::vector<RopeTable>& rope,
             std::vector<at::Tensor>& states_BTD) {
  for (size_t i = 0; i < states_BTD.size(); ++i)
    states_BTD[i] = block_forward(block, config, states_BTD[i], rope[i]);
}

double mean_error(const LlamaBlock& block, const LanguageConfig& config, const CalibrationState& state) {
  double total = 0.0;
  for (size_t i = 0; i < state.targets_BTD.size(); ++i) {
    const at::Tensor output = block_forward(block, config, state.quantized_BTD[i], state.rope[i]);
    total += masked_error(output, state.targets_BTD[i], state.mask_BT1[i]).item<double>();
  }
  return total / static_cast<double>(state.targets_BTD.size());
}

std::vector<LinearSpec> block_specs(const LanguageConfig& config, int64_t layer) {
  std::vector<LinearSpec> specs;
  for (const LinearSpec& spec : linear_specs(config)) {
    if (spec.layer == layer) specs.push_back(spec);
  }
  return specs;
}

std::vector<ClippedLinear*> clip_block(LlamaBlock& block, const std::vector<LinearSpec>& specs,
                                       const QuantizeOptions& options,
                                       const std::optional<ClippingStart>& start,
                                       std::vector<std::unique_ptr<Linear>>& full) {
  std::vector<ClippedLinear*> clipped;
  for (auto& [name, linear] : block_linears(block)) {
    auto& dense = dynamic_cast<DenseLinear&>(**linear);
    auto made = std::make_unique<ClippedLinear>(dense.weight(), options.group_size, options.bits);
    if (start) made->begin_with(start->factors(specs[clipped.size()]));
    clipped.push_back(made.get());
    full.push_back(std::move(*linear));
    *linear = std::move(made);
  }
  return clipped;
}

void learn_clipping(const LlamaBlock& block, const std::vector<ClippedLinear*>& linears,
                    const LanguageConfig& config, const CalibrationState& state,
                    const OmniquantOptions& options) {
  at::AutoGradMode with_grad(true);
  std::vector<at::Tensor> factors;
  for (ClippedLinear* linear : linears) {
    factors.push_back(linear->upper());
    factors.push_back(linear->lower());
  }
  AdamW optimizer(factors, {});
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (size_t i = 0; i < state.targets_BTD.size(); ++i) {
      if (stop_requested()) throw Stopped("quantize was stopped; go on with --resume");
      const at::Tensor output = block_forward(block, config, state.quantized_BTD[i], state.rope[i]);
      const at::Tensor loss = masked_error(output, state.targets_BTD[i], state.mask_BT1[i]);
      torch::autograd::backward({loss}, {});
      optimizer.step(options.lr);
    }
  }
}

}  // namespace qslaw
