// `speed`: prefill and decode rates of one sequence, after one run that is not counted.
#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "core/stopwatch.h"
#include "eval/benchmark.h"
#include "kernels/device_memory.h"
#include "model/generate.h"
#include "report/host_memory.h"

namespace qslaw {
namespace {

// The model's device finishes its work before the clock is read: item() waits for it.
double timed(const std::function<at::Tensor()>& work) {
  const Stopwatch stopwatch;
  const double largest = work().max().item<double>();
  require(std::isfinite(largest), "eval", "expected finite logits, got NaN or infinity (are the ",
          "weights damaged? where float16 overflows, bfloat16 or float32 may help)");
  return stopwatch.seconds();
}

Batch random_prompt(const LanguageConfig& config, int64_t tokens, uint64_t seed) {
  Random random(seed);
  Batch batch;
  batch.ids_BT = at::empty({1, tokens}, at::kLong);
  for (int64_t t = 0; t < tokens; ++t) {
    batch.ids_BT[0][t] = static_cast<int64_t>(random.below(static_cast<uint64_t>(config.vocab)));
  }
  batch.lengths_B = at::full({1}, tokens, at::kLong);
  return batch;
}

}  // namespace

nlohmann::json run_speed(const BenchmarkOptions& options, const EvalContext& context) {
  at::NoGradGuard no_grad;
  const Llava& model = *context.model;
  const Batch prompt = random_prompt(model.language.config, options.prompt_tokens, context.seed);
  const auto placement = at::TensorOptions().dtype(model.dtype).device(model.device);
  double prefill_s = 0.0, decode_s = 0.0;
  mark_peak_host_bytes();  // a benchmark before may have needed more
  mark_peak_device_bytes(model.device);
  for (int round = 0; round < 2; ++round) {
    KvCache cache(model.language.config, 1, options.prompt_tokens + options.new_tokens, placement);
    at::Tensor logits;
    prefill_s = timed([&] { return logits = prefill(model, prompt, cache); });
    DecodeStepper stepper(model, cache);
    decode_s = timed([&] {
      for (int64_t step = 0; step < options.new_tokens; ++step)
        logits = stepper.step(logits.argmax(-1));
      return logits;
    });
  }
  return {{"prefill_tokens_per_second", static_cast<double>(options.prompt_tokens) / prefill_s},
          {"decode_tokens_per_second", static_cast<double>(options.new_tokens) / decode_s},
          {"prompt_tokens", options.prompt_tokens},
          {"new_tokens", options.new_tokens},
          {"peak_host_bytes", peak_host_bytes_since_mark()},
          {"peak_device_bytes", peak_device_bytes_since_mark(model.device)}};
}

}  // namespace qslaw
