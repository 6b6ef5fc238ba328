#include "eval/answer_prompts.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/whitespace.h"
#include "model/generate.h"

namespace qslaw {
namespace {

struct LoadedPrompts {
  std::vector<LoadedSample> samples;
  std::vector<size_t> numbers;
};

LoadedPrompts load_prompts(size_t begin, size_t end, const std::function<LoadedSample(size_t)>& load,
                           BadSamplePolicy policy) {
  LoadedPrompts loaded;
  for (size_t i = begin; i < end; ++i) {
    try {
      loaded.samples.push_back(load(i));
      loaded.numbers.push_back(i);
    } catch (const UserError& problem) {
      if (policy == BadSamplePolicy::error) throw;
      log_warning(concat("left out: ", problem.what()));
    }
  }
  return loaded;
}

void answer_batch(const LoadedPrompts& prompts, size_t begin, const BenchmarkOptions& options,
                  const EvalContext& context, Answers& answers) {
  if (prompts.samples.empty()) return;
  GenerateOptions generation;
  generation.max_new_tokens = options.max_new_tokens;
  generation.temperature = options.temperature;
  generation.top_p = options.top_p;
  generation.eos_id = context.tokenizer->eos_id();
  generation.seed = context.seed + begin;
  const LlavaConfig& config = context.model->config;
  const Batch batch = collate(prompts.samples, config.vision.features(), config.pad_token_id);
  const auto texts = generate(*context.model, batch, generation);
  for (size_t i = 0; i < texts.size(); ++i)
    answers[prompts.numbers[i]] = strip(context.tokenizer->decode(texts[i]));
}

}  // namespace

Answers answer_prompts(size_t count, const std::function<LoadedSample(size_t)>& load,
                       const BenchmarkOptions& options, const EvalContext& context) {
  Answers answers;
  Progress progress(result_name(options), static_cast<int64_t>(count), "questions");
  for (size_t begin = 0; begin < count;) {
    if (stop_requested()) throw Stopped("eval was stopped; it starts over");
    const size_t end = std::min(count, begin + static_cast<size_t>(options.batch_size));
    answer_batch(load_prompts(begin, end, load, options.on_bad_sample), begin, options, context, answers);
    begin = end;
    progress.update(static_cast<int64_t>(begin));
  }
  return answers;
}

}  // namespace qslaw
