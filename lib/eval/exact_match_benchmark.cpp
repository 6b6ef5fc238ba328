// `exact_match`: short answers of a LLaVA file's first assistant turns, compared letter by letter.
#include <ATen/ATen.h>

#include "core/error.h"
#include "core/log.h"
#include "data/sample_pictures.h"
#include "eval/accuracy.h"
#include "eval/answer_prompts.h"
#include "eval/answer_text.h"
#include "eval/predictions.h"
#include "eval/questions.h"

namespace qslaw {
namespace {

bool is_right(const Question& question, const std::string& text) {
  return lower_case(text) == lower_case(question.answer);
}

// The file's first `count` questions as read; pictures are decoded when their batch comes.
std::vector<Question> read_questions(const Dataset& dataset, int64_t count, const BenchmarkOptions& options,
                                     const Tokenizer& tokenizer) {
  std::vector<Question> questions;
  QuestionReader reader(dataset, tokenizer, options.path);
  for (int64_t i = 0; i < count; ++i) {
    try {
      questions.push_back(reader.at(i));
    } catch (const UserError& problem) {
      if (options.on_bad_sample == BadSamplePolicy::error) throw;
      log_warning(concat("left out: ", problem.what()));
    }
  }
  return questions;
}

nlohmann::json prediction_line(const Question& question, const std::string& text,
                               TemplateKind template_kind) {
  const Sample& prompt = question.prompt.sample;
  nlohmann::json line = {{"id", prompt.id},
                         {"question", prompt.asked.back().text},
                         {"prompt", prompt_text(template_kind, prompt.asked, prompt.move_image_first)},
                         {"text", text},
                         {"parsed", text},
                         {"correct", is_right(question, text)},
                         {"answer", question.answer}};
  if (!prompt.pictures.empty()) line["picture"] = prompt.pictures[0].string();
  return line;
}

}  // namespace

nlohmann::json run_exact_match(const BenchmarkOptions& options, const EvalContext& context) {
  const TemplateKind template_kind = benchmark_template(options, context);
  const auto dataset = make_dataset(
      benchmark_data(options), {context.tokenizer, template_kind, context.model->config.vision.features()});
  const int64_t asked = options.limit > 0 ? std::min(options.limit, dataset->size()) : dataset->size();
  const auto questions = read_questions(*dataset, asked, options, *context.tokenizer);
  const auto load = [&](size_t i) {
    LoadedSample prompt = questions[i].prompt;
    decode_pictures(prompt, context.transform);
    return prompt;
  };
  const Answers answers = answer_prompts(questions.size(), load, options, context);
  PredictionsFile predictions(context.predictions, result_name(options));
  std::vector<double> scores;
  for (const auto& [number, text] : answers) {
    scores.push_back(is_right(questions[number], text) ? 1.0 : 0.0);
    predictions.write(prediction_line(questions[number], text, template_kind));
  }
  predictions.finish();
  require(!answers.empty(), "eval", "expected questions in ", options.path.string(), ", got none");
  nlohmann::json result = {{"n", answers.size()}, {"skipped", asked - static_cast<int64_t>(answers.size())}};
  add_accuracy(result, "accuracy", scores, interval_seed(options, context));
  return result;
}

}  // namespace qslaw
