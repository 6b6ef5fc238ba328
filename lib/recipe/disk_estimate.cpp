#include "recipe/disk_estimate.h"

#include <algorithm>

#include "model/llama.h"

namespace qslaw {
namespace {

// In a safetensors file's header: a tensor's name, dtype, shape and place.
constexpr int64_t kEntryBytes = 128;
// The same where the header is written last, into room that is kept (io/safetensors_writer.cpp): four tensors
// of a linear.
constexpr int64_t kLinearRoom = 4 * 256;
// New ones are whole before old ones are removed.
constexpr int64_t kCheckpoints = 2;
constexpr int64_t kFloatBytes = 4;
constexpr int64_t kProjectorTensors = 4;

int64_t linear_count(const LlavaConfig& config) {
  return static_cast<int64_t>(linear_specs(config.language).size());
}

int64_t packed_file(const LlavaConfig& config, const PackedLinears& packed) {
  return packed.bytes + kLinearRoom * linear_count(config);
}

// What training learns as float32, `tensors` beside the projector, which is written in any case.
DiskEstimate trained_files(const LlavaConfig& config, const StageEstimate& memory, const std::string& states,
                           bool with_projector, int64_t tensors) {
  tensors += kProjectorTensors;
  const int64_t moments = states == "int8" ? 4 : 2;  // of a tensor: codes and maxima, or values
  DiskEstimate disk;
  disk.results = memory.gradients + kEntryBytes * tensors;
  disk.checkpoints =
      kCheckpoints * (memory.gradients + memory.optimizer + kEntryBytes * tensors * (1 + moments));
  if (!with_projector) disk.results += kFloatBytes * count_model(config).projector;
  return disk;
}

DiskEstimate disk_of_quantize(const Recipe& recipe, const LlavaConfig& config, const PackedLinears& packed) {
  const int64_t file = packed_file(config, packed);
  if (!recipe.quantize->calibration) return {file, 0};
  // Its finished blocks, and what the next one sees: a block's are whole before those of the one before it
  // are removed, and the first one's are kept nowhere.
  const int64_t kept = std::min<int64_t>(2, config.language.layers - 1);
  return {file, file + kept * calibration_bytes(recipe, config.language)};
}

DiskEstimate disk_of_warmup(const Recipe& recipe, const LlavaConfig& config, const StageEstimate& memory,
                            const PackedLinears& packed) {
  const WarmupOptions& options = *recipe.warmup;
  const int64_t layers = config.language.layers;
  const int64_t scaled = linear_count(config) / layers * std::max<int64_t>(0, layers - options.first_layer);
  DiskEstimate disk =
      trained_files(config, memory, options.optimizer.states, options.train_projector, scaled);
  disk.results += packed_file(config, packed);
  return disk;
}

DiskEstimate disk_of_tune(const Recipe& recipe, const LlavaConfig& config, const StageEstimate& memory) {
  const TuneOptions& options = *recipe.tune;
  const int64_t linears = linear_count(config);
  const int64_t tensors = options.method == "lora"   ? 2 * linears
                          : options.method == "full" ? linears + 2 * config.language.layers + 3
                                                     : 0;
  return trained_files(config, memory, options.optimizer.states,
                       options.train_projector || options.method == "projector", tensors);
}

// The whole model, the tower's blocks behind the feature layer included.
int64_t hf_values(const LlavaConfig& config) {
  const ModelCounts counts = count_model(config);
  const VisionConfig& vision = config.vision;
  return counts.linears + counts.other_language + counts.projector + counts.vision +
         (vision.layers - vision.blocks_used()) * clip_block_values(vision) + 2 * vision.width;
}

DiskEstimate disk_of_export(const Recipe& recipe, const LlavaConfig& config) {
  const ExportOptions& options = *recipe.export_;
  const int64_t linears = linear_count(config);
  const int64_t tensors = linears + 2 * config.language.layers + 3 + 16 * config.vision.layers + 10;
  const int64_t model =
      hf_values(config) * (options.dtype == "float32" ? kFloatBytes : 2) + kEntryBytes * tensors;
  DiskEstimate disk;
  for (const char* format : {"hf", "hf_base"})
    disk.results += exports(options, format) ? model : 0;
  if (!exports(options, "peft") || !recipe.tune) return disk;
  disk.results +=
      kFloatBytes * (lora_values(config.language, recipe.tune->lora.rank) + count_model(config).projector) +
      kEntryBytes * 2 * linears;
  return disk;
}

}  // namespace

DiskEstimate estimate_disk(const Recipe& recipe, const std::string& stage, const LlavaConfig& config,
                           const StageEstimate& memory, const std::optional<PackedLinears>& brought) {
  if (stage == "eval") return {};
  if (stage == "export") return disk_of_export(recipe, config);
  if (stage == "tune") return disk_of_tune(recipe, config, memory);
  const PackedLinears packed = recipe.quantize ? packed_linears(*recipe.quantize, count_model(config).linears)
                                               : brought.value_or(PackedLinears{});
  if (stage == "warmup") return disk_of_warmup(recipe, config, memory, packed);
  return disk_of_quantize(recipe, config, packed);
}

int64_t most_disk(const std::vector<DiskEstimate>& stages) {
  int64_t written = 0, most = 0;
  for (const DiskEstimate& stage : stages) {
    written += stage.results;
    most = std::max(most, written + stage.checkpoints);
  }
  return most;
}

}  // namespace qslaw
