#include "benchmark_checks.h"

#include <algorithm>
#include <memory>

#include "asked_checks.h"
#include "assemble.h"
#include "core/error.h"
#include "eval/benchmark.h"
#include "eval/predictions.h"
#include "eval/question_kinds.h"
#include "eval/question_prompt.h"
#include "eval/questions.h"

namespace qslaw {
namespace {

// Of a benchmark: a picture that is missing would stop it behind all stages before.
constexpr int64_t kMostQuestions = 10000;
constexpr int64_t kSpeedRounds = 2;  // the first is not counted

// `count` prompts of a benchmark, each followed by up to `new_tokens`.
void add_prompts(DataShape& shape, int64_t count, const CheckedSamples& prompts, int64_t new_tokens,
                 int64_t batch_size) {
  add_samples(shape, count, prompts.mean_tokens + static_cast<double>(new_tokens), prompts.mean_learned);
  const int64_t held = std::min(batch_size, count) * (prompts.longest + new_tokens);
  shape.batch_tokens = std::max(shape.batch_tokens, held);
}

void check_scienceqa(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  const std::vector<ScienceQaProblem> problems = benchmark_problems(benchmark);
  if (problems.empty()) return;
  const auto count = static_cast<int64_t>(problems.size());
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, count};
  const auto sample = [&](int64_t i) {
    const ScienceQaProblem& problem = problems[static_cast<size_t>(i)];
    Sample prompt;
    prompt.id = problem.id;
    prompt.where = scienceqa_place(problem, benchmark);
    prompt.ids = scienceqa_prompt(problem, benchmark, *context.tokenizer, context.template_kind);
    if (!problem.picture.empty()) prompt.pictures.push_back(problem.picture);
    return prompt;
  };
  look_if_asked(run, count, sample, options);
  const CheckedSamples prompts = check_samples(options, count, sample);
  add_prompts(shape, count, prompts, benchmark.max_new_tokens, benchmark.batch_size);
}

void check_questions(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  const auto kept = benchmark_questions(benchmark);
  const std::vector<BenchmarkQuestion>& questions = *kept;
  const auto count = static_cast<int64_t>(questions.size());
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, kMostQuestions};
  const auto sample = [&](int64_t i) {
    return question_sample(questions[static_cast<size_t>(i)], *context.tokenizer, context.template_kind);
  };
  look_if_asked(run, count, sample, options);
  add_prompts(shape, count, check_samples(options, count, sample), benchmark.max_new_tokens,
              benchmark.batch_size);
}

void check_benchmark_data(const StageRun& run, const BenchmarkOptions& benchmark,
                          const EncodingContext& context, DataShape& shape) {
  const auto dataset = make_dataset(benchmark_data(benchmark), context);
  require(dataset->size() > 0, "data", "expected samples in ", benchmark.path.string(), ", got none");
  const bool answers = benchmark.kind == "exact_match";
  QuestionReader questions(*dataset, *context.tokenizer, benchmark.path);
  const int64_t count = benchmark.limit > 0 ? std::min(benchmark.limit, dataset->size()) : dataset->size();
  const auto sample = [&](int64_t i) { return answers ? questions.at(i).prompt.sample : dataset->at(i); };
  CheckOptions options{"eval", context.tokens_per_picture, benchmark.on_bad_sample, kMostQuestions};
  options.one_by_one = answers;  // the reader remembers the ids before
  options.length_limit = concat("context ", benchmark.context);
  look_if_asked(run, count, sample, options);
  const CheckedSamples prompts = check_samples(options, count, sample);
  add_prompts(shape, count, prompts, answers ? benchmark.max_new_tokens : 0, benchmark.batch_size);
}

void check_benchmark(const StageRun& run, const BenchmarkOptions& benchmark, const EncodingContext& context,
                     DataShape& shape) {
  if (benchmark.kind == "scienceqa") return check_scienceqa(run, benchmark, context, shape);
  if (is_question_kind(benchmark.kind)) return check_questions(run, benchmark, context, shape);
  if (has_data(benchmark)) return check_benchmark_data(run, benchmark, context, shape);
  const auto tokens = static_cast<double>(benchmark.prompt_tokens);
  add_prompts(shape, kSpeedRounds, {1, benchmark.prompt_tokens, tokens, 0.0}, benchmark.new_tokens, 1);
}

void check_predictions(const BenchmarkOptions& benchmark) {
  if (is_question_kind(benchmark.kind)) {
    read_predictions(benchmark.predictions, *benchmark_questions(benchmark));
  } else {
    read_predictions(benchmark.predictions, benchmark_problems(benchmark));
  }
}

}  // namespace

DataShape check_benchmarks(const StageRun& run, const LlavaConfig& config) {
  const Recipe& recipe = run.experiment.recipe;
  DataShape shape;
  std::unique_ptr<Tokenizer> tokenizer;
  if (needs_model(*recipe.eval))
    tokenizer = std::make_unique<Tokenizer>(load_tokenizer(recipe.model, config));
  for (const BenchmarkOptions& benchmark : recipe.eval->benchmarks) {
    if (!needs_model(benchmark)) {
      check_predictions(benchmark);
      continue;
    }
    const auto& name = benchmark.template_name.empty() ? recipe.model.template_name : benchmark.template_name;
    check_benchmark(run, benchmark, encoding_context(*tokenizer, name, config), shape);
  }
  return shape;
}

}  // namespace qslaw
