// What a stage will need, from sizes alone: for `--dry-run`.
#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>

#include "model/config.h"
#include "recipe/model_counts.h"
#include "recipe/recipe.h"

namespace qslaw {

/// Bytes at the peak of a stage, by kind, and the arithmetic it does.
struct StageEstimate {
  int64_t weights = 0;    // frozen and trained, packed or dense
  int64_t optimizer = 0;  // AdamW's two moments
  int64_t gradients = 0;
  int64_t activations = 0;  // kept for the backward pass, plus scratch
  int64_t program = 0;      // libraries and buffers of the process itself
  double flops = 0.0;       // of the whole stage
  int64_t passed = 0;       // bytes of weights that are read, quantized and written on their way
  int64_t steps = 0;        // optimizer steps; 0 for stages without
  int64_t total() const { return weights + optimizer + gradients + activations + program; }
};

/// Whether a stage takes steps of an optimizer, which has moments and gradients.
bool trains(const std::string& stage);

/// What the estimate needs to know of the data.
struct DataShape {
  int64_t samples = 0;       // draws of all phases or of calibration, prompts of all benchmarks (eval)
  int64_t steps = 0;         // optimizer steps of all phases
  double mean_tokens = 0;    // per sample, pictures expanded; eval: with all tokens that may be generated
  int64_t longest = 0;       // tokens of the longest sample (not of eval)
  double mean_learned = 0;   // supervised tokens per sample
  bool has_pictures = true;  // text alone does not train the projector (tune, warmup)
  // eval: tokens whose keys and values are held at once, at most: samples of a batch times the longest prompt
  // with all tokens that may be generated, of the benchmark where this is the most.
  int64_t batch_tokens = 0;
};

/// Bytes of the calibration samples' hidden states around a block, through full-precision and through
/// quantized blocks. REQUIRES: a quantize section with calibration.
int64_t calibration_bytes(const Recipe& recipe, const LanguageConfig& config);

/// Estimate of one stage; `config` is not looked at for an eval that needs no model. `brought`: none where
/// `model.stages` leave the linears dense. `device`: of it only what it is, none must be there. REQUIRES: the
/// recipe has that section.
StageEstimate estimate_stage(const Recipe& recipe, const std::string& stage, const LlavaConfig& config,
                             const DataShape& data, const std::optional<PackedLinears>& brought = {},
                             c10::Device device = c10::kCPU);

}  // namespace qslaw
