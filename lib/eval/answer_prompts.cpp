#include "eval/answer_prompts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <future>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/json_text.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/whitespace.h"
#include "model/generate.h"

namespace qslaw {
namespace {

constexpr const char* kStopped = "eval was stopped; --resume goes on with it";

struct LoadedPrompts {
  std::vector<LoadedSample> samples;
  std::vector<size_t> numbers;
  std::vector<std::string> left_out;  // why
};

LoadedPrompts load_prompts(size_t begin, size_t end, const std::function<LoadedSample(size_t)>& load,
                           BadSamplePolicy policy) {
  LoadedPrompts loaded;
  for (size_t i = begin; i < end; ++i) {
    if (stop_requested()) throw Stopped(kStopped);
    try {
      loaded.samples.push_back(load(i));
      loaded.numbers.push_back(i);
    } catch (const UserError& problem) {
      if (policy == BadSamplePolicy::error) throw;
      loaded.left_out.push_back(problem.what());
    }
  }
  return loaded;
}

Answers answer_batch(const LoadedPrompts& prompts, size_t begin, const BenchmarkOptions& options,
                     const EvalContext& context) {
  Answers answers;
  if (prompts.samples.empty()) return answers;
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
    answers[prompts.numbers[i]] = strip(valid_utf8(context.tokenizer->decode(texts[i])));
  return answers;
}

}  // namespace

Answers answer_prompts(size_t count, const std::function<LoadedSample(size_t)>& load,
                       const BenchmarkOptions& options, const EvalContext& context) {
  const auto batch_size = static_cast<size_t>(options.batch_size);
  Answers answers;
  const AnswerStore store(context.answers, result_name(options));
  Progress progress(result_name(options), static_cast<int64_t>(count), "questions");
  // The next batch that is not answered yet. Its thread ends before this call does: a future waits for it.
  std::future<LoadedPrompts> ahead;
  const auto load_ahead = [&](size_t begin) {
    while (begin < count && store.find(begin) != nullptr)
      begin += batch_size;
    if (begin >= count) return;
    ahead = std::async(std::launch::async, [&, begin] {
      return load_prompts(begin, std::min(count, begin + batch_size), load, options.on_bad_sample);
    });
  };
  load_ahead(0);
  for (size_t begin = 0; begin < count; begin += batch_size) {
    if (stop_requested()) throw Stopped(kStopped);
    if (const Answers* done = store.find(begin)) {
      answers.insert(done->begin(), done->end());
    } else {
      const LoadedPrompts prompts = ahead.get();
      for (const std::string& reason : prompts.left_out)
        log_warning("left out: " + reason);
      load_ahead(begin + batch_size);
      const Answers batch = answer_batch(prompts, begin, options, context);
      store.add(begin, batch);
      answers.insert(batch.begin(), batch.end());
    }
    progress.update(static_cast<int64_t>(std::min(count, begin + batch_size)));
  }
  return answers;
}

}  // namespace qslaw
