#include "recipe/model_counts.h"

#include <algorithm>

#include "model/llama.h"

namespace qslaw {

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

}  // namespace qslaw
