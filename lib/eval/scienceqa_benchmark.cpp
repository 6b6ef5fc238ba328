#include <ATen/ATen.h>

#include "core/error.h"
#include "data/scienceqa.h"
#include "eval/answer_prompts.h"
#include "eval/predictions.h"
#include "eval/scienceqa_scoring.h"

namespace qslaw {
namespace {

std::vector<Turn> question_turns(const ScienceQaProblem& problem, const BenchmarkOptions& options) {
  std::string text = scienceqa_question(problem, options.prompt_format) + options.prompt_suffix;
  if (!problem.picture.empty()) text += "\n<image>";
  return {{Role::human, text}};
}

LoadedSample load_prompt(const ScienceQaProblem& problem, const BenchmarkOptions& options,
                         const EvalContext& context) {
  LoadedSample loaded;
  loaded.sample.id = problem.id;
  loaded.sample.ids = encode_prompt(*context.tokenizer, benchmark_template(options, context),
                                    question_turns(problem, options), !problem.picture.empty());
  loaded.sample.labels.assign(loaded.sample.ids.size(), kIgnoreLabel);
  if (!problem.picture.empty()) {
    loaded.sample.pictures.push_back(problem.picture);
    loaded.pixels_3SS.push_back(transform_image(read_image(problem.picture), context.transform));
  }
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
  std::map<std::string, std::string> texts = read_predictions(path);
  for (const ScienceQaProblem& problem : problems) {
    const auto found = texts.find(problem.id);
    if (found != texts.end()) answers[problem.id] = {found->second, false};
  }
  require(!answers.empty() || problems.empty(), "eval",
          "expected predictions for problems of the split, got none (", path.string(), ")");
  return answers;
}

nlohmann::json prediction_line(const ScienceQaProblem& problem, const ScienceQaAnswer& answer,
                               const BenchmarkOptions& options, const EvalContext& context) {
  const int64_t parsed =
      answer.missing ? kUnparsed : parse_scienceqa_answer(answer.text, problem.choices.size());
  nlohmann::json line = {
      {"id", problem.id},
      {"prompt", prompt_text(benchmark_template(options, context), question_turns(problem, options),
                             !problem.picture.empty())},
      {"text", answer.text},
      {"parsed", parsed >= 0 ? nlohmann::json(scienceqa_letter(parsed)) : nlohmann::json(nullptr)},
      {"correct", parsed == problem.answer},
      {"answer", scienceqa_letter(problem.answer)}};
  if (!problem.picture.empty()) line["picture"] = problem.picture.string();
  return line;
}

}  // namespace

nlohmann::json run_scienceqa(const BenchmarkOptions& options, const EvalContext& context) {
  auto problems = read_scienceqa(options.problems, options.splits, options.split, options.images);
  if (options.limit > 0 && options.limit < static_cast<int64_t>(problems.size())) {
    problems.resize(static_cast<size_t>(options.limit));
  }
  auto answers = needs_model(options) ? run_model(problems, options, context)
                                      : read_answers(problems, options.predictions);
  PredictionsFile predictions(context.predictions, result_name(options));
  for (const ScienceQaProblem& problem : problems) {
    const auto found = answers.find(problem.id);
    const ScienceQaAnswer answer = found == answers.end() ? ScienceQaAnswer{"", true} : found->second;
    predictions.write(prediction_line(problem, answer, options, context));
  }
  predictions.finish();
  return score_scienceqa(problems, answers);
}

}  // namespace qslaw
