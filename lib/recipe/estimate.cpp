#include "recipe/estimate.h"

#include <algorithm>
#include <cmath>

#include "eval/benchmark.h"
#include "kernels/adamw_int8.h"
#include "quant/packed_linear.h"
#include "recipe/training_pass.h"

namespace qslaw {
namespace {

// LibTorch's libraries and thread pools, resident after the first product, and what a first backward pass
// adds. Fitted: with them the estimates come near the peaks of the demo and of the full-size models, which
// docs/results.md states beside each other.
constexpr int64_t kProgramBytes = 144 << 20, kBackwardBytes = 16 << 20;
constexpr int64_t kMasterBytes = 4, kGradientBytes = 4;  // float32, per trained value

// Both moments of AdamW.
int64_t moment_bytes(const OptimizerOptions& options, int64_t values) {
  return options.states == "int8" ? 2 * values + 8 * values / kMomentBlock : 8 * values;
}

int64_t dtype_bytes(const Recipe& recipe) {
  return recipe.model.dtype == "float32" ? 4 : 2;
}

// Dense weights of packed linears that stay while one block's backward pass follows.
int64_t kept_dense_bytes(const LlavaConfig& config, Checkpointing checkpointing, int64_t bytes,
                         c10::Device device) {
  if (!keeps_dense_weights(device)) return 0;
  const int64_t block = count_model(config).linears / config.language.layers;
  return bytes * std::llround(recomputed_share(config.language, checkpointing) * static_cast<double>(block));
}

// `held_bytes`: what the weights so far count for each of the values.
void add_trained(StageEstimate& estimate, const OptimizerOptions& optimizer, int64_t values,
                 int64_t held_bytes) {
  estimate.weights += (kMasterBytes - held_bytes) * values;
  estimate.optimizer += moment_bytes(optimizer, values);
  estimate.gradients += kGradientBytes * values;
}

// Values beside the linears that are read into memory: a table that is not the head as well stays in its
// mapped file (model/load.h), where the rows of a batch are read.
int64_t held_language(const Recipe& recipe, const LanguageConfig& language, const ModelCounts& counts) {
  const bool mapped = !language.tied_head && !recipe.model.source.random_weights;
  return counts.other_language - (mapped ? language.vocab * language.width : 0);
}

StageEstimate estimate_quantize(const Recipe& recipe, const LlavaConfig& config) {
  const QuantizeOptions& options = *recipe.quantize;
  const ModelCounts counts = count_model(config);
  StageEstimate estimate;
  // One linear at a time: packed, and in the file's 16 bits; of nf4 in float32 with a byte per code, too.
  estimate.weights = packed_linears(options, counts.largest_linear).bytes;
  estimate.activations = (options.method == "nf4" ? 7 : 2) * counts.largest_linear;
  estimate.passed = 2 * counts.linears;
  if (!options.calibration) return estimate;
  const int64_t bytes = dtype_bytes(recipe), block = counts.linears / config.language.layers;
  const int64_t tokens = options.calibration->samples * options.calibration->length;
  estimate.weights += bytes * (counts.other_language + counts.vision + counts.projector + block);
  // Inputs and targets; what a step keeps of the block, and its largest linear: quantized in the compute
  // dtype and in float32, its gradient in both.
  const int64_t step_tokens = options.omniquant.batch_size * options.calibration->length;
  estimate.activations = calibration_bytes(recipe, config.language) +
                         step_tokens * block_activation_values(config.language) * bytes +
                         2 * (bytes + 4) * counts.largest_linear;
  estimate.flops = 6.0 * static_cast<double>(counts.linears) * static_cast<double>(tokens) *
                   static_cast<double>(options.omniquant.epochs + 1);
  return estimate;
}

// With the samples of the largest step.
LoopOptions largest_loop(const WarmupOptions& options) {
  LoopOptions loop = options.loop;
  loop.batch_size = 0;
  for (const PhaseOptions& phase : options.phases)
    loop.batch_size = std::max(loop.batch_size, phase_batch_size(phase, options.loop));
  return loop;
}

StageEstimate estimate_warmup(const Recipe& recipe, const LlavaConfig& config, const DataShape& data,
                              const PackedLinears& packed, c10::Device device) {
  const WarmupOptions& options = *recipe.warmup;
  const ModelCounts counts = count_model(config);
  const int64_t bytes = dtype_bytes(recipe), layers = config.language.layers;
  const int64_t scaled = counts.linears / layers * std::max<int64_t>(0, layers - options.first_layer);
  StageEstimate estimate;
  estimate.weights =
      packed.bytes + bytes * scaled +
      bytes * (held_language(recipe, config.language, counts) + counts.vision + counts.projector);
  if (options.phases.empty()) return estimate;  // gamma is folded as it is
  add_trained(estimate, options.optimizer, scaled / packed.group_size, 0);
  if (options.train_projector && data.has_pictures)
    add_trained(estimate, options.optimizer, counts.projector, bytes);
  // A block that learns has other matrices beside it than one that is packed.
  const int64_t kept =
      options.first_layer > 0 ? kept_dense_bytes(config, options.loop.checkpointing, bytes, device) : 0;
  estimate.activations = training_activations(config, largest_loop(options), data, bytes) +
                         std::max(3 * 4 * counts.largest_linear, kept);
  estimate.flops = training_flops(config, data, options.loop, true);
  estimate.steps = data.steps;
  return estimate;
}

StageEstimate estimate_tune(const Recipe& recipe, const LlavaConfig& config, const DataShape& data,
                            int64_t linear_bytes, int64_t kept_bytes) {
  const TuneOptions& options = *recipe.tune;
  const ModelCounts counts = count_model(config);
  const int64_t bytes = dtype_bytes(recipe),
                language = options.method == "full" ? counts.other_language
                                                    : held_language(recipe, config.language, counts),
                other = language + counts.vision + counts.projector;
  StageEstimate estimate;
  estimate.weights = bytes * other + linear_bytes;
  if (options.method == "full") {
    add_trained(estimate, options.optimizer,
                counts.linears + counts.other_language + (options.train_vision ? counts.vision : 0), bytes);
  } else if (options.method == "lora") {
    add_trained(estimate, options.optimizer, lora_values(config.language, options.lora.rank), 0);
  }
  if ((options.train_projector && data.has_pictures) || options.method == "projector")
    add_trained(estimate, options.optimizer, counts.projector, bytes);
  estimate.activations = training_activations(config, options.loop, data, bytes) +
                         2 * bytes * counts.largest_linear + kept_bytes;
  estimate.flops = training_flops(config, data, options.loop, options.method == "full");
  estimate.steps = data.steps;
  return estimate;
}

StageEstimate estimate_inference(const Recipe& recipe, const LlavaConfig& config, const DataShape& data,
                                 int64_t linear_bytes) {
  const ModelCounts counts = count_model(config);
  const int64_t bytes = dtype_bytes(recipe);
  StageEstimate estimate;
  estimate.weights =
      bytes * (held_language(recipe, config.language, counts) + counts.vision + counts.projector) +
      linear_bytes;
  const int64_t cache =
      2 * config.language.layers * config.language.kv_heads * config.language.head_size * bytes;
  estimate.activations = data.batch_tokens * cache + 2 * bytes * counts.largest_linear;
  estimate.flops =
      2.0 * static_cast<double>(counts.linears) * static_cast<double>(data.samples) * data.mean_tokens;
  return estimate;
}

StageEstimate estimate_model_stage(const Recipe& recipe, const std::string& stage, const LlavaConfig& config,
                                   const DataShape& data, const std::optional<PackedLinears>& brought,
                                   c10::Device device) {
  const int64_t linears = count_model(config).linears, bytes = dtype_bytes(recipe);
  const std::optional<PackedLinears> packed =
      recipe.quantize ? packed_linears(*recipe.quantize, linears) : brought;
  const int64_t linear_bytes = packed ? packed->bytes : bytes * linears;
  if (stage == "quantize") return estimate_quantize(recipe, config);
  if (stage == "warmup")
    return estimate_warmup(recipe, config, data, packed.value_or(PackedLinears{}), device);
  if (stage == "tune") {
    const int64_t kept =
        packed ? kept_dense_bytes(config, recipe.tune->loop.checkpointing, bytes, device) : 0;
    return estimate_tune(recipe, config, data, linear_bytes, kept);
  }
  return estimate_inference(recipe, config, data, linear_bytes);
}

}  // namespace

bool trains(const std::string& stage) {
  return stage == "warmup" || stage == "tune";
}

int64_t calibration_bytes(const Recipe& recipe, const LanguageConfig& config) {
  const CalibrationOptions& calibration = *recipe.quantize->calibration;
  return 2 * calibration.samples * calibration.length * config.width * dtype_bytes(recipe);
}

StageEstimate estimate_stage(const Recipe& recipe, const std::string& stage, const LlavaConfig& config,
                             const DataShape& data, const std::optional<PackedLinears>& brought,
                             c10::Device device) {
  StageEstimate estimate;
  if (stage != "eval" || needs_model(*recipe.eval))
    estimate = estimate_model_stage(recipe, stage, config, data, brought, device);
  const bool learns = trains(stage) || (stage == "quantize" && recipe.quantize->calibration);
  estimate.program = kProgramBytes + (learns ? kBackwardBytes : 0);
  return estimate;
}

}  // namespace qslaw
