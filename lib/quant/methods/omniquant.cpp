// Block by block: the full-precision block's outputs on full-precision inputs are the target; the quantized
// block sees the inputs that came through the already quantized blocks (docs/method.md, "Initialization by
// OmniQuant").
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "io/mapped_file.h"
#include "kernels/adamw.h"
#include "model/nonfinite.h"
#include "quant/block_store.h"
#include "quant/methods/methods.h"
#include "quant/packed_linear.h"
#include "quant/weight_clipping.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

// Hidden states of the calibration samples while a block is learned, and what factors all blocks begin with.
struct CalibrationState {
  std::vector<at::Tensor> targets_BTD;    // behind the block, through full-precision blocks
  std::vector<at::Tensor> quantized_BTD;  // in front of it, through quantized blocks
  std::vector<at::Tensor> mask_BT1;       // 1 for tokens, 0 for padding
  std::vector<RopeTable> rope;
  std::optional<ClippingStart> start;  // none: 4.0
};

CalibrationState start_state(const Llava& model, const std::vector<Batch>& batches) {
  CalibrationState state;
  for (const Batch& batch : batches) {
    const at::Tensor x = embed_batch(model, batch);
    if (!at::isfinite(x).all().item<bool>()) fail_nonfinite("hidden states", model, batch, 0);
    state.targets_BTD.push_back(x);
    state.quantized_BTD.push_back(x);
    state.mask_BT1.push_back(
        (at::arange(x.size(1)).unsqueeze(0) < batch.lengths_B.unsqueeze(1)).unsqueeze(-1).to(x.device()));
    state.rope.push_back(rope_table_of_length(model.language.rope_frequencies, x.size(1), x.scalar_type()));
  }
  return state;
}

// Moves hidden states through the block, one after the other: they exist once.
void advance(const LlamaBlock& block, const LanguageConfig& config, const std::vector<RopeTable>& rope,
             std::vector<at::Tensor>& states_BTD) {
  for (size_t i = 0; i < states_BTD.size(); ++i)
    states_BTD[i] = block_forward(block, config, states_BTD[i], rope[i]);
}

at::Tensor masked_error(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask_BT1) {
  const at::Tensor squared = (output.to(at::kFloat) - target.to(at::kFloat)).square() * mask_BT1;
  return squared.sum() / (mask_BT1.sum() * output.size(-1));
}

double mean_error(const LlamaBlock& block, const LanguageConfig& config, const CalibrationState& state) {
  double total = 0.0;
  for (size_t i = 0; i < state.targets_BTD.size(); ++i) {
    const at::Tensor output = block_forward(block, config, state.quantized_BTD[i], state.rope[i]);
    total += masked_error(output, state.targets_BTD[i], state.mask_BT1[i]).item<double>();
  }
  return total / static_cast<double>(state.targets_BTD.size());
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

// The block's linears with learnable clipping; the full-precision ones are handed back in `full`.
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

std::vector<LinearSpec> block_specs(const LanguageConfig& config, int64_t layer) {
  std::vector<LinearSpec> specs;
  for (const LinearSpec& spec : linear_specs(config)) {
    if (spec.layer == layer) specs.push_back(spec);
  }
  return specs;
}

FinishedBlock pack_block(const QuantizeTask& task, const std::vector<LinearSpec>& specs,
                         const std::vector<ClippedLinear*>& clipped,
                         const std::vector<std::unique_ptr<Linear>>& full) {
  FinishedBlock finished{{"omniquant", task.options.bits, task.options.group_size, {}}, {}};
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto packed = std::make_shared<PackedWeight>(clipped[i]->pack().to(at::kCPU));
    const at::Tensor weight_NK = full[i]->dense_weight(at::kFloat).cpu();
    finished.report["layers"].push_back(
        clip_row(layer_error(specs[i], weight_NK, *packed), {clipped[i]->upper(), clipped[i]->lower()}));
    finished.linears.weights[specs[i].name] = packed;
  }
  return finished;
}

// Where the numbers of a block that cannot be learned stop being finite.
std::string nonfinite_place(const std::vector<LinearSpec>& specs,
                            const std::vector<std::unique_ptr<Linear>>& full) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!at::isfinite(full[i]->dense_weight(at::kFloat)).all().item<bool>())
      return "weights of " + specs[i].name;
  }
  return "its norms or its products";
}

FinishedBlock learn_block(LlamaBlock& block, int64_t layer, const std::vector<LinearSpec>& specs,
                          const QuantizeTask& task, const CalibrationState& state) {
  const LanguageConfig& config = task.config.language;
  std::vector<std::unique_ptr<Linear>> full;
  const auto clipped = clip_block(block, specs, task.options, state.start, full);
  const double before = mean_error(block, config, state);
  learn_clipping(block, clipped, config, state, task.options.omniquant);
  const double after = mean_error(block, config, state);
  if (!std::isfinite(after)) {
    fail("quantize", "expected a finite calibration loss in decoder block ", layer,
         ", got NaN or infinity in ", nonfinite_place(specs, full));
  }
  FinishedBlock finished = pack_block(task, specs, clipped, full);
  finished.report["block"] = {{"layer", layer}, {"loss_before", before}, {"loss_after", after}};
  return finished;
}

// Moves the block's linears to the device. Returns their weights as they lie in the files.
std::vector<at::Tensor> bring_block(LlamaBlock& block, at::Device device) {
  std::vector<at::Tensor> in_files;
  for (auto& [name, linear] : block_linears(block)) {
    in_files.push_back(dynamic_cast<DenseLinear&>(**linear).weight());
    *linear = std::make_unique<DenseLinear>(in_files.back().to(device));
  }
  return in_files;
}

// Learns one block, or takes it from the store, and moves the state behind it.
void quantize_block(Llava& model, int64_t layer, const QuantizeTask& task, const BlockStore& store,
                    CalibrationState& state, const PackedSink& sink, nlohmann::json& report) {
  const LanguageConfig& config = task.config.language;
  LlamaBlock& block = model.language.blocks[static_cast<size_t>(layer)];
  const std::vector<at::Tensor> in_files = bring_block(block, task.device);
  advance(block, config, state.rope, state.targets_BTD);
  const auto specs = block_specs(config, layer);
  const bool is_stored = store.has(layer);
  const FinishedBlock finished =
      is_stored ? store.load(layer, specs) : learn_block(block, layer, specs, task, state);
  if (!is_stored) store.save(layer, finished);
  size_t index = 0;
  for (auto& [name, linear] : block_linears(block)) {
    const auto& packed = finished.linears.weights.at(specs[index++].name);
    *linear = std::make_unique<PackedLinear>(std::make_shared<PackedWeight>(packed->to(task.device)));
  }
  advance(block, config, state.rope, state.quantized_BTD);
  for (auto& [name, linear] : block_linears(block))
    linear->reset();
  for (const at::Tensor& weight_NK : in_files)
    release_mapped_pages(weight_NK.const_data_ptr(), weight_NK.nbytes());
  for (const LinearSpec& spec : specs)
    sink(spec.name, *finished.linears.weights.at(spec.name));
  report["blocks"].push_back(finished.report.at("block"));
  for (const auto& row : finished.report.at("layers"))
    report["layers"].push_back(row);
}

}  // namespace

nlohmann::json quantize_omniquant(const QuantizeTask& task, const PackedSink& sink) {
  const OmniquantOptions& options = task.options.omniquant;
  if (options.epochs == 0 && !options.start.empty()) return quantize_with_factors(task, sink);
  QSLAW_CHECK(!task.calibration.empty());
  std::optional<ClippingStart> start;
  if (!options.start.empty())
    start.emplace(options.start, linear_specs(task.config.language), task.options.group_size);
  // Mapped, not copied: one block's weights at a time are touched.
  const LinearMaker mapped = [](const LinearSpec&, const std::function<at::Tensor()>& read_weight) {
    return std::make_unique<DenseLinear>(read_weight());
  };
  Llava model = load_llava(task.source, task.config, task.dtype, task.device, mapped);
  CalibrationState state = start_state(model, task.calibration);
  state.start = std::move(start);
  const int64_t layers = task.config.language.layers;
  const BlockStore store(task.unfinished);
  Progress progress("omniquant", layers, "blocks");
  nlohmann::json report;
  for (int64_t layer = 0; layer < layers; ++layer) {
    quantize_block(model, layer, task, store, state, sink, report);
    const auto& last = report["blocks"].back();
    const auto loss = [&last](const char* key) { return format_short(number_at(last, key).value_or(NAN)); };
    progress.update(layer + 1, concat("loss ", loss("loss_before"), " -> ", loss("loss_after")));
  }
  return report;
}

}  // namespace qslaw
