// One decoder block of OmniQuant: the hidden states around it and the learning of its clipping factors.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "model/llama.h"
#include "quant/options.h"
#include "quant/starting_values.h"
#include "quant/weight_clipping.h"

namespace qslaw {

/// Hidden states of the calibration samples, batch by batch, [B, T, D] in the compute dtype.
struct CalibrationState {
  std::vector<at::Tensor> targets_BTD;    // behind the block, through full-precision blocks
  std::vector<at::Tensor> quantized_BTD;  // in front of it, through quantized blocks
  std::vector<at::Tensor> mask_BT1;       // 1 for tokens, 0 for padding
  std::vector<RopeTable> rope;
};

/// Adds a batch whose rows have `lengths_B` tokens, int64.
void add_batch(CalibrationState& state, const at::Tensor& full_BTD, const at::Tensor& quantized_BTD,
               const at::Tensor& lengths_B, const at::Tensor& rope_frequencies);

/// Moves hidden states through the block, one after the other: they exist once.
void advance(const LlamaBlock& block, const LanguageConfig& config, const std::vector<RopeTable>& rope,
             std::vector<at::Tensor>& states_BTD);

/// Mean over the batches of the mean squared difference of the block's outputs from the targets.
double mean_error(const LlamaBlock& block, const LanguageConfig& config, const CalibrationState& state);

/// The specs of a block's linears, in the order of linear_specs.
std::vector<LinearSpec> block_specs(const LanguageConfig& config, int64_t layer);

/// Gives the block linears with learnable clipping and returns them; the DenseLinears are handed back in
/// `full`. `specs`: the block's; `start` none: factors of 4.0.
std::vector<ClippedLinear*> clip_block(LlamaBlock& block, const std::vector<LinearSpec>& specs,
                                       const QuantizeOptions& options,
                                       const std::optional<ClippingStart>& start,
                                       std::vector<std::unique_ptr<Linear>>& full);

/// options.epochs passes of a step per batch, all but the factors being frozen. Throws Stopped when a stop
/// was asked for.
void learn_clipping(const LlamaBlock& block, const std::vector<ClippedLinear*>& linears,
                    const LanguageConfig& config, const CalibrationState& state,
                    const OmniquantOptions& options);

}  // namespace qslaw
