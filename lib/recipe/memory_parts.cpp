#include "recipe/memory_parts.h"

#include <algorithm>

#include "core/text.h"

namespace qslaw {
namespace {

std::string keys_of_trained(const Recipe& recipe, const std::string& stage) {
  const bool tunes = stage == "tune";
  const std::string& states = tunes ? recipe.tune->optimizer.states : recipe.warmup->optimizer.states;
  std::vector<std::string> keys;
  if (tunes && recipe.tune->method == "lora") keys.emplace_back("tune.lora.rank");
  if (states != "int8") keys.push_back(stage + ".optimizer.states (int8)");
  if (tunes && recipe.tune->method == "full") keys.emplace_back("tune.method (lora)");
  return join(keys);
}

// The type that weights and hidden states are held in.
std::vector<std::string> narrower_type(const Recipe& recipe) {
  if (recipe.model.dtype != "float32") return {};
  return {"model.dtype"};
}

// One that learns holds a block and all that is no linear; the others one linear, packed or not, in the types
// of the files.
bool holds_block(const Recipe& recipe) {
  return recipe.quantize->calibration.has_value();
}

// Whether the recipe can pack the linears that the stage holds and does not do so.
bool may_pack(const Recipe& recipe, const std::string& stage) {
  const bool tuned_in_full = stage == "tune" && recipe.tune->method == "full";
  return !recipe.quantize && recipe.model.stages.empty() && !tuned_in_full;
}

std::string keys_of_weights(const Recipe& recipe, const std::string& stage) {
  if (stage == "quantize") return holds_block(recipe) ? join(narrower_type(recipe)) : "";
  std::vector<std::string> keys = narrower_type(recipe);
  if (recipe.quantize) keys.insert(keys.begin(), "quantize.bits");
  if (may_pack(recipe, stage)) keys.emplace_back("a quantize section");
  return join(keys);
}

// What decides how many tokens a pass has.
std::string key_of_pass(const Recipe& recipe, const std::string& stage) {
  const LoopOptions& loop = stage == "tune" ? recipe.tune->loop : recipe.warmup->loop;
  return concat(stage, loop.packed_length > 0 ? ".packed_length" : ".micro_batch_size");
}

std::string keys_of_activations(const Recipe& recipe, const std::string& stage) {
  if (trains(stage)) return concat(key_of_pass(recipe, stage), ", ", stage, ".checkpointing");
  if (stage == "eval") return "eval.benchmarks: batch_size, max_new_tokens";
  if (stage != "quantize") return join(narrower_type(recipe));
  return holds_block(recipe) ? "quantize.calibration.samples, quantize.calibration.length, "
                               "quantize.omniquant.batch_size"
                             : "";
}

}  // namespace

std::vector<MemoryPart> memory_parts(const Recipe& recipe, const std::string& stage,
                                     const StageEstimate& estimate) {
  std::vector<MemoryPart> parts = {{"weights", estimate.weights, keys_of_weights(recipe, stage)},
                                   {"activations", estimate.activations, keys_of_activations(recipe, stage)}};
  if (parts[1].bytes > parts[0].bytes) std::swap(parts[0], parts[1]);
  if (!trains(stage)) return parts;
  // Trained values have a share of the weights, too.
  const MemoryPart trained{"optimizer and gradients", estimate.optimizer + estimate.gradients,
                           keys_of_trained(recipe, stage)};
  const bool leads = trained.bytes >= std::max(estimate.weights / 2, estimate.activations);
  parts.insert(leads ? parts.begin() : parts.end(), trained);
  return parts;
}

std::string keys_that_lower(const Recipe& recipe, const std::string& stage, const StageEstimate& estimate) {
  for (const MemoryPart& part : memory_parts(recipe, stage, estimate)) {
    if (!part.keys.empty()) return part.keys;
  }
  return "";
}

}  // namespace qslaw
