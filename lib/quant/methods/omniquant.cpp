// Block by block: the full-precision block's outputs on full-precision inputs are the target; the quantized
// block sees the inputs that came through the already quantized blocks (docs/method.md, "Initialization by
// OmniQuant").
#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/stopwatch.h"
#include "io/dtypes.h"
#include "io/mapped_file.h"
#include "model/nonfinite.h"
#include "quant/block_store.h"
#include "quant/clipped_block.h"
#include "quant/methods/methods.h"
#include "quant/packed_linear.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

CalibrationState start_state(const Llava& model, const std::vector<Batch>& batches) {
  CalibrationState state;
  for (const Batch& batch : batches) {
    const at::Tensor x = embed_batch(model, batch);
    if (!at::isfinite(x).all().item<bool>()) fail_nonfinite("hidden states", model, batch, 0);
    add_batch(state, x, x, batch.lengths_B, model.language.rope_frequencies);
  }
  return state;
}

bool fits(const at::Tensor& x_BTD, const Batch& batch, const Llava& model) {
  return x_BTD.dim() == 3 && x_BTD.size(0) == batch.lengths_B.size(0) &&
         x_BTD.size(1) == batch.ids_BT.size(1) && x_BTD.size(2) == model.language.config.width &&
         x_BTD.scalar_type() == model.dtype;
}

CalibrationState state_of(const BlockInputs& inputs, const Llava& model, const std::vector<Batch>& batches) {
  CalibrationState state;
  for (size_t i = 0; i < batches.size(); ++i) {
    require(fits(inputs.full_BTD[i], batches[i], model) && fits(inputs.quantized_BTD[i], batches[i], model),
            "resume", "expected hidden states of calibration batch ", i, " in ", dtype_name(model.dtype),
            " for its samples, got ", inputs.full_BTD[i].sizes(), " and ", inputs.quantized_BTD[i].sizes(),
            " in ", dtype_name(inputs.full_BTD[i].scalar_type()), "; start over with --restart");
    add_batch(state, inputs.full_BTD[i], inputs.quantized_BTD[i], batches[i].lengths_B,
              model.language.rope_frequencies);
  }
  return state;
}

// The first block to pass and what lies in front of it.
struct Beginning {
  int64_t layer = 0;
  CalibrationState state;
};

// At a block whose inputs are kept no block before it is passed again.
Beginning begin_at(const Llava& model, const std::vector<Batch>& batches, const BlockStore& store) {
  const int64_t layers = model.language.config.layers, layer = store.first_to_pass(layers);
  if (layer == layers) return {layers, {}};
  store.keep_only_inputs(layer);
  if (layer > 0) {
    if (const auto inputs = store.load_inputs(layer, batches.size(), model.device)) {
      log_info(concat("omniquant: going on at block ", layer));
      return {layer, state_of(*inputs, model, batches)};
    }
    store.keep_only_inputs(0);
  }
  return {0, start_state(model, batches)};
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
                          const QuantizeTask& task, const std::optional<ClippingStart>& start,
                          const CalibrationState& state) {
  const LanguageConfig& config = task.config.language;
  std::vector<std::unique_ptr<Linear>> full;
  const auto clipped = clip_block(block, specs, task.options, start, full);
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

// In the place of the block's full-precision linears.
void put_packed(LlamaBlock& block, const std::vector<LinearSpec>& specs, const FinishedBlock& finished,
                at::Device device) {
  size_t index = 0;
  for (auto& [name, linear] : block_linears(block)) {
    const auto& packed = finished.linears.weights.at(specs[index++].name);
    *linear = std::make_unique<PackedLinear>(std::make_shared<PackedWeight>(packed->to(device)));
  }
}

// Learns one block, or takes it from the store, and moves the state behind it.
FinishedBlock pass_block(Llava& model, int64_t layer, const std::vector<LinearSpec>& specs,
                         const QuantizeTask& task, const std::optional<ClippingStart>& start,
                         const BlockStore& store, CalibrationState& state) {
  const Stopwatch stopwatch;
  const LanguageConfig& config = task.config.language;
  LlamaBlock& block = model.language.blocks[static_cast<size_t>(layer)];
  const std::vector<at::Tensor> in_files = bring_block(block, task.device);
  advance(block, config, state.rope, state.targets_BTD);
  const bool is_stored = store.has(layer);
  FinishedBlock finished =
      is_stored ? store.load(layer, specs) : learn_block(block, layer, specs, task, start, state);
  if (!is_stored) store.save(layer, finished);
  put_packed(block, specs, finished, task.device);
  advance(block, config, state.rope, state.quantized_BTD);
  for (auto& [name, linear] : block_linears(block))
    linear->reset();
  for (const at::Tensor& weight_NK : in_files)
    release_mapped_pages(weight_NK.const_data_ptr(), weight_NK.nbytes());
  if (layer + 1 < config.layers) store.save_inputs(layer + 1, {state.targets_BTD, state.quantized_BTD});
  if (!is_stored) store.note_seconds(layer, stopwatch.seconds());
  return finished;
}

void hand_over(const std::vector<LinearSpec>& specs, const FinishedBlock& finished, const PackedSink& sink,
               nlohmann::json& report) {
  for (const LinearSpec& spec : specs)
    sink(spec.name, *finished.linears.weights.at(spec.name));
  report["blocks"].push_back(finished.report.at("block"));
  for (const auto& row : finished.report.at("layers"))
    report["layers"].push_back(row);
}

// "loss 0.12 -> 0.034"
std::string block_losses(const nlohmann::json& block) {
  const auto loss = [&block](const char* key) { return format_short(number_at(block, key).value_or(NAN)); };
  return concat("loss ", loss("loss_before"), " -> ", loss("loss_after"));
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
  const int64_t layers = task.config.language.layers;
  const BlockStore store(task.unfinished);
  auto [first, state] = begin_at(model, task.calibration, store);
  Progress progress("omniquant", layers, "blocks", first);
  nlohmann::json report;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const auto specs = block_specs(task.config.language, layer);
    const FinishedBlock finished =
        layer < first ? store.load(layer, specs) : pass_block(model, layer, specs, task, start, store, state);
    hand_over(specs, finished, sink, report);
    if (layer >= first) progress.update(layer + 1, block_losses(report["blocks"].back()));
  }
  return report;
}

}  // namespace qslaw
