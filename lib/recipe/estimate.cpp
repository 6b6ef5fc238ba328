#include "recipe/estimate.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "eval/benchmark.h"
#include "kernels/adamw_int8.h"
#include "kernels/cross_entropy.h"
#include "model/llama.h"
#include "quant/packed_linear.h"

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

// Tensors that one decoder block keeps for its backward pass, per token, in values of the compute dtype:
// block input, residual, both normalized; rotated q and k, v, attention output; gate, up, their product.
int64_t block_activation_values(const LanguageConfig& config) {
  const int64_t Q = config.heads * config.head_size, KV = config.kv_heads * config.head_size;
  return 4 * config.width + 2 * Q + 2 * KV + 3 * config.ffn;
}

// Those of them that are made again in the backward pass, one block at a time.
int64_t recomputed_values(const LanguageConfig& config, Checkpointing checkpointing) {
  if (checkpointing == Checkpointing::block) return block_activation_values(config) - config.width;
  return checkpointing == Checkpointing::feed_forward ? config.width + 3 * config.ffn : 0;
}

// Share of a block's products that run once more.
double recomputed_share(const LanguageConfig& config, Checkpointing checkpointing) {
  if (checkpointing != Checkpointing::feed_forward) return checkpointing == Checkpointing::block ? 1.0 : 0.0;
  const auto feed_forward = static_cast<double>(3 * config.ffn * config.width);
  const int64_t heads = 2 * (config.heads + config.kv_heads);
  return feed_forward / (feed_forward + static_cast<double>(heads * config.head_size * config.width));
}

// Dense weights of packed linears that stay while one block's backward pass follows.
int64_t kept_dense_bytes(const LlavaConfig& config, Checkpointing checkpointing, int64_t bytes,
                         c10::Device device) {
  if (!keeps_dense_weights(device)) return 0;
  const int64_t block = count_model(config).linears / config.language.layers;
  return bytes * std::llround(recomputed_share(config.language, checkpointing) * static_cast<double>(block));
}

// Rows as long as the longest sample, or that one with others of the mean length behind it.
int64_t tokens_of_pass(const LoopOptions& loop, const DataShape& data) {
  if (!loop.packing) return loop.micro_batch_size * data.longest;
  return data.longest +
         static_cast<int64_t>(static_cast<double>(loop.micro_batch_size - 1) * data.mean_tokens);
}

int64_t training_activations(const LlavaConfig& config, const LoopOptions& loop, const DataShape& data,
                             int64_t bytes) {
  const LanguageConfig& language = config.language;
  const int64_t tokens = tokens_of_pass(loop, data);
  const int64_t block = tokens * block_activation_values(language) * bytes;
  const int64_t again = tokens * recomputed_values(language, loop.checkpointing) * bytes;
  // Logits exist for a chunk of the learned tokens (kernels/cross_entropy.h).
  const auto learned = static_cast<int64_t>(static_cast<double>(loop.micro_batch_size) * data.mean_learned);
  const int64_t chunk =
      std::min(learned * language.vocab * bytes, std::max(kLogitBytes, 64 * language.vocab * bytes));
  return language.layers * (block - again) + again + chunk;
}

// `held_bytes`: what the weights so far count for each of the values.
void add_trained(StageEstimate& estimate, const OptimizerOptions& optimizer, int64_t values,
                 int64_t held_bytes) {
  estimate.weights += (kMasterBytes - held_bytes) * values;
  estimate.optimizer += moment_bytes(optimizer, values);
  estimate.gradients += kGradientBytes * values;
}

// Products of a training pass over the decoder, in units of 2 * values * tokens: forward, input gradient,
// recomputation, and weight gradients where they are needed.
double training_flops(const LlavaConfig& config, const DataShape& data, const LoopOptions& loop,
                      bool weight_gradients) {
  const ModelCounts counts = count_model(config);
  const double passes =
      2.0 + recomputed_share(config.language, loop.checkpointing) + (weight_gradients ? 1.0 : 0.0);
  const double tokens = static_cast<double>(data.samples) * data.mean_tokens;
  return 2.0 * static_cast<double>(counts.linears + config.language.vocab * config.language.width / 8) *
         tokens * passes;
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
  estimate.activations =
      training_activations(config, options.loop, data, bytes) + std::max(3 * 4 * counts.largest_linear, kept);
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

PackedLinears packed_linears(const QuantizeOptions& options, int64_t values) {
  const double per_group = options.method == "nf4" ? 1.0 + 4.0 / 256 : 6.0;
  return {static_cast<int64_t>(static_cast<double>(values) *
                               (options.bits / 8.0 + per_group / static_cast<double>(options.group_size))),
          options.group_size};
}

int64_t lora_values(const LanguageConfig& config, int64_t rank) {
  double values = 0.0;  // a mistyped rank may be any number
  for (const LinearSpec& spec : linear_specs(config))
    values += static_cast<double>(rank) * static_cast<double>(spec.rows + spec.columns);
  return static_cast<int64_t>(std::min(values, 1e15));
}

int64_t calibration_bytes(const Recipe& recipe, const LanguageConfig& config) {
  const CalibrationOptions& calibration = *recipe.quantize->calibration;
  return 2 * calibration.samples * calibration.length * config.width * dtype_bytes(recipe);
}

int64_t clip_block_values(const VisionConfig& config) {
  const int64_t D = config.width;
  return 4 * D * D + 2 * D * config.ffn + 9 * D + config.ffn;
}

ModelCounts count_model(const LlavaConfig& config) {
  const LanguageConfig& language = config.language;
  const VisionConfig& vision = config.vision;
  ModelCounts counts;
  for (const LinearSpec& spec : linear_specs(language)) {
    counts.linears += spec.rows * spec.columns;
    counts.largest_linear = std::max(counts.largest_linear, spec.rows * spec.columns);
  }
  counts.other_language = (language.tied_head ? 1 : 2) * language.vocab * language.width +
                          (2 * language.layers + 1) * language.width;
  const int64_t D = vision.width;
  counts.vision = vision.blocks_used() * clip_block_values(vision) + (vision.patches() + 4) * D +
                  3 * vision.patch_size * vision.patch_size * D;
  counts.projector = (D + 1) * language.width;
  if (config.projector == ProjectorKind::mlp2x_gelu)
    counts.projector += (language.width + 1) * language.width;
  return counts;
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
