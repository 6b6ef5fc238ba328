#include "eval/benchmark.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "data/conversation_sample.h"
#include "eval/measured_on.h"
#include "eval/question_kinds.h"

namespace qslaw {

const std::vector<BenchmarkKind>& benchmark_kinds() {
  static const std::vector<BenchmarkKind> kinds = [] {
    std::vector<BenchmarkKind> all = {
        {"scienceqa", run_scienceqa}, {"exact_match", run_exact_match},
        {"loss", run_loss},           {"text_perplexity", run_text_perplexity},
        {"speed", run_speed},
    };
    for (const std::string& name : question_kind_names())
      all.push_back({name.c_str(), run_questions});
    return all;
  }();
  return kinds;
}

std::string result_name(const BenchmarkOptions& options) {
  return options.name.empty() ? options.kind : options.name;
}

bool needs_model(const BenchmarkOptions& options) {
  return options.predictions.empty();
}

bool needs_model(const EvalOptions& options) {
  return std::any_of(options.benchmarks.begin(), options.benchmarks.end(),
                     [](const BenchmarkOptions& benchmark) { return needs_model(benchmark); });
}

TemplateKind benchmark_template(const BenchmarkOptions& options, const EvalContext& context) {
  return options.template_name.empty() ? context.template_kind : parse_template(options.template_name);
}

uint64_t interval_seed(const BenchmarkOptions& options, const EvalContext& context) {
  return mix_seed(context.seed, hash_text(result_name(options)));
}

std::vector<ScienceQaProblem> benchmark_problems(const BenchmarkOptions& options) {
  auto problems = read_scienceqa(options.problems, options.splits, options.split, options.images);
  if (options.limit > 0 && options.limit < static_cast<int64_t>(problems.size()))
    problems.resize(static_cast<size_t>(options.limit));
  return problems;
}

std::vector<Turn> scienceqa_turns(const ScienceQaProblem& problem, const BenchmarkOptions& options) {
  std::string text = scienceqa_question(problem, options.prompt_format) + options.prompt_suffix;
  if (!problem.picture.empty()) text += "\n<image>";
  return {{Role::human, text}};
}

std::string scienceqa_place(const ScienceQaProblem& problem, const BenchmarkOptions& options) {
  return concat(options.problems.string(), ", problem ", problem.id);
}

std::vector<int64_t> scienceqa_prompt(const ScienceQaProblem& problem, const BenchmarkOptions& options,
                                      const Tokenizer& tokenizer, TemplateKind kind) {
  const std::vector<Turn> turns = scienceqa_turns(problem, options);
  const bool has_picture = !problem.picture.empty();
  require_one_image_each(count_images(turns), has_picture ? 1 : 0, scienceqa_place(problem, options));
  return encode_prompt(tokenizer, kind, turns, has_picture);
}

nlohmann::json run_benchmark(const BenchmarkOptions& options, const EvalContext& context) {
  const KeptQuestions for_both;
  for (const BenchmarkKind& kind : benchmark_kinds()) {
    if (kind.name != options.kind) continue;
    nlohmann::json result = kind.run(options, context);
    result[kMeasuredOn] = measured_on(options, context);
    return result;
  }
  fail("eval", "expected a known benchmark, got ", options.kind);
}

}  // namespace qslaw
