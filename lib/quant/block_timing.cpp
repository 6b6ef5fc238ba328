#include "quant/block_timing.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/stopwatch.h"
#include "quant/clipped_block.h"
#include "quant/packed_linear.h"

namespace qslaw {
namespace {

constexpr int64_t kFewestTokens = 64;
constexpr int64_t kWarmingTokens = 16;
// What takes less is done again, up to so often: the least of them, because other work only slows down.
constexpr double kLongEnough = 0.1;  // seconds
constexpr int kTries = 5;

template <typename Work>
double seconds_of(const Work& work) {
  double least = 0.0, all = 0.0;
  for (int i = 0; i < kTries && all < kLongEnough; ++i) {
    const Stopwatch stopwatch;
    work();
    const double seconds = stopwatch.seconds();
    least = i == 0 ? seconds : std::min(least, seconds);
    all += seconds;
  }
  return least;
}

// A device works on behind the call that gave it work, until somebody asks for a value.
void wait_for(const at::Tensor& last) {
  last.detach().flatten()[0].item<float>();
}

// Rows that are all alike: hundreds of millions of random numbers would take longer than what is measured.
LlamaBlock random_block(const LanguageConfig& config, const at::TensorOptions& kind) {
  constexpr double kDeviation = 0.02;
  LlamaBlock block;
  block.input_norm_D = at::ones({config.width}, kind);
  block.post_norm_D = at::ones({config.width}, kind);
  const auto specs = block_specs(config, 0);
  size_t next = 0;
  for (auto& [name, linear] : block_linears(block)) {
    const LinearSpec& spec = specs[next++];
    const at::Tensor row = at::randn({1, spec.columns}, kind) * kDeviation;
    *linear = std::make_unique<DenseLinear>(row.expand({spec.rows, spec.columns}).contiguous());
  }
  return block;
}

CalibrationState random_batch(const LanguageConfig& config, int64_t rows, int64_t tokens,
                              const at::TensorOptions& kind) {
  CalibrationState state;
  const at::Tensor frequencies = rope_frequencies(config.rope, config.head_size).to(*kind.device_opt());
  add_batch(state, at::randn({rows, tokens, config.width}, kind),
            at::randn({rows, tokens, config.width}, kind), at::full({rows}, tokens, at::kLong), frequencies);
  return state;
}

double seconds_of_forward(const LlamaBlock& block, const LanguageConfig& config,
                          const CalibrationState& state) {
  return seconds_of([&] { wait_for(block_forward(block, config, state.quantized_BTD[0], state.rope[0])); });
}

double seconds_of_step(const LlamaBlock& block, const std::vector<ClippedLinear*>& clipped,
                       const LanguageConfig& config, const CalibrationState& state,
                       OmniquantOptions options) {
  options.epochs = 1;
  return seconds_of([&] {
    learn_clipping(block, clipped, config, state, options);
    wait_for(clipped.back()->upper());
  });
}

using PackedWeights = std::vector<std::shared_ptr<const PackedWeight>>;

double seconds_of_packing(const std::vector<ClippedLinear*>& clipped, PackedWeights& packed) {
  return seconds_of([&] {
    packed.clear();
    for (ClippedLinear* linear : clipped)
      packed.push_back(std::make_shared<PackedWeight>(linear->pack()));
    wait_for(packed.back()->codes);
  });
}

void put_packed(LlamaBlock& block, const PackedWeights& packed) {
  size_t next = 0;
  for (auto& [name, linear] : block_linears(block))
    *linear = std::make_unique<PackedLinear>(packed[next++]);
}

// In the order of a block's work, which leaves the block packed.
BlockPasses measure(LlamaBlock block, const LanguageConfig& config, const QuantizeOptions& options,
                    int64_t tokens, const at::TensorOptions& kind) {
  const CalibrationState state = random_batch(config, options.omniquant.batch_size, tokens, kind);
  BlockPasses passes;
  passes.full = seconds_of_forward(block, config, state);
  std::vector<std::unique_ptr<Linear>> full;
  const auto clipped = clip_block(block, block_specs(config, 0), options, std::nullopt, full);
  passes.clipped = seconds_of([&] { mean_error(block, config, state); });
  passes.step = seconds_of_step(block, clipped, config, state, options.omniquant);
  PackedWeights packed;
  passes.packing = seconds_of_packing(clipped, packed);
  put_packed(block, packed);
  passes.packed = seconds_of_forward(block, config, state);
  return passes;
}

}  // namespace

double block_seconds(const BlockPasses& passes, double batches, int64_t epochs) {
  const double batch =
      passes.full + 2 * passes.clipped + static_cast<double>(epochs) * passes.step + passes.packed;
  return batches * batch + passes.packing;
}

int64_t tokens_within(int64_t tokens, double seconds_per_token, double seconds) {
  const double affordable = seconds / seconds_per_token;
  if (affordable >= static_cast<double>(tokens)) return tokens;
  return std::min(tokens, std::max(kFewestTokens, static_cast<int64_t>(affordable)));
}

double remaining_seconds(const std::vector<double>& measured, int64_t finished, int64_t layers) {
  QSLAW_CHECK(!measured.empty());
  const double all = std::accumulate(measured.begin(), measured.end(), 0.0);
  return all / static_cast<double>(measured.size()) * static_cast<double>(layers - finished);
}

BlockPasses measure_block_passes(const LanguageConfig& config, const QuantizeOptions& options, int64_t tokens,
                                 at::ScalarType dtype, at::Device device) {
  at::NoGradGuard no_grad;
  const at::TensorOptions kind = at::TensorOptions().dtype(dtype).device(device);
  measure(random_block(config, kind), config, options, std::min(tokens, kWarmingTokens), kind);
  return measure(random_block(config, kind), config, options, tokens, kind);
}

}  // namespace qslaw
