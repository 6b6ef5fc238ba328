#include "stage_times.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/stopwatch.h"
#include "kernels/device_memory.h"
#include "quant/block_store.h"
#include "quant/block_timing.h"
#include "stage_inputs.h"
#include "train/checkpoint.h"

namespace qslaw {
namespace {

// Small products reach about half of the probe's rate.
constexpr double kProbeShare = 0.5;
// Weights are rounded as fast as a disk reads them.
constexpr double kPassedPerSecond = 500e6;
// That a measured step is expected to take at most; what else a block's work needs takes about as long again.
constexpr double kMeasuredSeconds = 3.0;

double passed_seconds(const StageEstimate& memory) {
  return static_cast<double>(memory.passed) / kPassedPerSecond;
}

// From the blocks of an interrupted run that --resume would go on with.
std::optional<StageTime> time_of_finished(const Experiment& experiment, const LanguageConfig& config) {
  const auto folder = experiment.folder("quantize");
  const BlockStore store(block_checkpoint(folder));
  const int64_t finished = store.finished(config.layers);
  if (finished == 0 || !std::filesystem::exists(folder / kInputsFile)) return std::nullopt;
  const std::vector<double> seconds = store.seconds(config.layers);
  if (seconds.empty() || !changed_inputs(folder, stage_inputs(experiment, "quantize")).what.empty())
    return std::nullopt;
  const int64_t kept = experiment.options.restart ? 0 : finished;
  return StageTime{remaining_seconds(seconds, kept, config.layers),
                   concat(seconds.size(), seconds.size() == 1 ? " finished block" : " finished blocks")};
}

bool fits_in_memory(const Experiment& experiment, const StageEstimate& memory) {
  return memory.total() <= device_memory(experiment.device).available;
}

// Rows of a batch are as long as its longest one.
int64_t tokens_of_row(const QuantizeOptions& options, const DataShape& data) {
  const double tokens =
      options.omniquant.batch_size > 1 ? static_cast<double>(data.longest) : std::ceil(data.mean_tokens);
  return std::max<int64_t>(1, static_cast<int64_t>(tokens));
}

// Three passes of two operations over a block's weights: forward, and both gradients.
double seconds_per_token(const QuantizeOptions& options, const LlavaConfig& config, double flops_per_second) {
  const int64_t block = count_model(config).linears / config.language.layers;
  return 3.0 * 2.0 * static_cast<double>(options.omniquant.batch_size * block) /
         (kProbeShare * flops_per_second);
}

BlockPasses measured_passes(const Experiment& experiment, const LlavaConfig& config, int64_t tokens) {
  try {
    return measure_block_passes(config.language, *experiment.recipe.quantize, tokens, experiment.dtype,
                                experiment.device);
  } catch (const Stopped&) {  // it speaks of a run that --resume goes on with
    throw Stopped("the dry run was stopped");
  }
}

StageTime time_of_measured_block(const Experiment& experiment, const StageNeeds& needs,
                                 const LlavaConfig& config, double flops_per_second) {
  const QuantizeOptions& options = *experiment.recipe.quantize;
  const int64_t tokens = tokens_of_row(options, needs.data);
  const int64_t measured =
      tokens_within(tokens, seconds_per_token(options, config, flops_per_second), kMeasuredSeconds);
  const BlockPasses passes = measured_passes(experiment, config, measured);
  // A batch is taken to grow with its tokens; a block's codes are made once, whatever the batch.
  const double batches = std::ceil(static_cast<double>(options.calibration->samples) /
                                   static_cast<double>(options.omniquant.batch_size)) *
                         static_cast<double>(tokens) / static_cast<double>(measured);
  const double block = block_seconds(passes, batches, options.omniquant.epochs);
  const double all = static_cast<double>(config.language.layers) * block;
  return {all + passed_seconds(needs.memory),
          concat("a measured step of one block, ", format_seconds(block), " each",
                 measured < tokens ? concat(" (", measured, " of ", tokens, " tokens)") : "")};
}

}  // namespace

// The best of a few, because other work on the machine only slows down.
double probe_flops(const Experiment& experiment) {
  constexpr int64_t kSide = 768;
  constexpr int kTries = 5;
  const at::Tensor a =
      at::ones({kSide, kSide}, at::TensorOptions().dtype(experiment.dtype).device(experiment.device));
  at::mm(a, a).sum().item<float>();
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < kTries; ++i) {
    const Stopwatch stopwatch;
    at::mm(a, a).sum().item<float>();
    best = std::min(best, stopwatch.seconds());
  }
  return 2.0 * kSide * kSide * kSide / best;
}

StageTime estimate_time(const Experiment& experiment, const StageNeeds& needs, const LlavaConfig& config,
                        double flops_per_second) {
  const auto& quantize = experiment.recipe.quantize;
  if (needs.stage == "quantize" && quantize->method == "omniquant" && quantize->calibration) {
    if (const auto known = time_of_finished(experiment, config.language)) return *known;
    if (fits_in_memory(experiment, needs.memory))
      return time_of_measured_block(experiment, needs, config, flops_per_second);
  }
  return {needs.memory.flops / (kProbeShare * flops_per_second) + passed_seconds(needs.memory), "arithmetic"};
}

}  // namespace qslaw
