#include <ATen/ATen.h>

#include "core/error.h"
#include "data/sample_pictures.h"
#include "eval/answer_prompts.h"
#include "eval/predictions.h"
#include "eval/scienceqa_scoring.h"

namespace qslaw {
namespace {

LoadedSample load_prompt(const ScienceQaProblem& problem, const BenchmarkOptions& options,
                         const EvalContext& context) {
  LoadedSample loaded;
  loaded.sample.id = problem.id;
  loaded.sample.where = scienceqa_place(problem, options);
  loaded.sample.ids =
      scienceqa_prompt(problem, options, *context.tokenizer, benchmark_template(options, context));
  loaded.sample.labels.assign(loaded.sample.ids.size(), kIgnoreLabel);
  if (!problem.picture.empty()) loaded.sample.pictures.push_back(problem.picture);
  decode_pictures(loaded, context.transform);
  return loaded;
}

std::map<std::string, ScienceQaAnswer> run_model(const std::vector<ScienceQaProblem>& problems,
                                                 const BenchmarkOptions& options,
                                                 const EvalContext& context) {
  const Answers texts = answer_prompts(
      problems.size(), [&](size_t i) { return load_prompt(problems[i], options, context); }, options,
      context);
  std::map<std::string, ScienceQaAnswer> answers;
  for (const auto& [number, text] : texts)
    answers[problems[number].id] = {text, false};
  return answers;
}

std::map<std::string, ScienceQaAnswer> read_answers(const std::vector<ScienceQaProblem>& problems,
                                                    const std::filesystem::path& path) {
  std::map<std::string, ScienceQaAnswer> answers;
  for (const auto& [id, text] : read_predictions(path, problems))
    answers[id] = {text, false};
  return answers;
}

nlohmann::json prediction_line(const ScienceQaProblem& problem, const ScienceQaAnswer& answer,
                               const BenchmarkOptions& options, const EvalContext& context) {
  const int64_t parsed =
      answer.missing ? kUnparsed : parse_scienceqa_answer(answer.text, problem.choices.size());
  const std::vector<Turn> turns = scienceqa_turns(problem, options);
  nlohmann::json line = {
      {"id", problem.id},
      {"question", turns.back().text},
      {"text", answer.text},
      {"parsed", parsed >= 0 ? nlohmann::json(scienceqa_letter(parsed)) : nlohmann::json(nullptr)},
      {"correct", parsed == problem.answer},
      {"answer", scienceqa_letter(problem.answer)}};
  // What another program asked for given answers is not known here.
  if (needs_model(options)) {
    line["prompt"] = prompt_text(benchmark_template(options, context), turns,
                                 /*move_image_first=*/!problem.picture.empty());
  }
  if (!problem.picture.empty()) line["picture"] = problem.picture.string();
  return line;
}

}  // namespace

nlohmann::json run_scienceqa(const BenchmarkOptions& options, const EvalContext& context) {
  const auto problems = benchmark_problems(options);
  auto answers = needs_model(options) ? run_model(problems, options, context)
                                      : read_answers(problems, options.predictions);
  PredictionsFile predictions(context.predictions, result_name(options));
  for (const ScienceQaProblem& problem : problems) {
    const auto found = answers.find(problem.id);
    const ScienceQaAnswer answer = found == answers.end() ? ScienceQaAnswer{"", true} : found->second;
    predictions.write(prediction_line(problem, answer, options, context));
  }
  predictions.finish();
  return score_scienceqa(problems, answers, interval_seed(options, context));
}

}  // namespace qslaw
