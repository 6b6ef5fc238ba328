// The published picture benchmarks: questions from their files, answers from the model or given, their score,
// and the file for the benchmark's server.
#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "eval/answer_prompts.h"
#include "eval/predictions.h"
#include "eval/question_kinds.h"
#include "eval/question_prompt.h"

namespace qslaw {
namespace {

using Texts = std::map<std::string, std::string>;  // by question id

Texts run_model(const std::vector<BenchmarkQuestion>& questions, const BenchmarkOptions& options,
                const EvalContext& context) {
  if (options.kind == "textvqa" && !shows_ocr_tokens(questions)) {
    log_info(concat(result_name(options),
                    ": asked without OCR tokens; LLaVA-1.5's published accuracies (58.2 % "
                    "with 7B) are of llava_textvqa_val_v051_ocr.jsonl, which has them"));
  }
  const TemplateKind kind = benchmark_template(options, context);
  const auto load = [&](size_t i) {
    return load_question(questions[i], *context.tokenizer, kind, context.transform);
  };
  Texts texts;
  for (const auto& [number, text] : answer_prompts(questions.size(), load, options, context))
    texts[questions[number].id] = text;
  return texts;
}

std::vector<JudgedQuestion> judge(const std::vector<BenchmarkQuestion>& questions, const Texts& texts,
                                  const QuestionKind& kind) {
  std::vector<JudgedQuestion> judged;
  for (const BenchmarkQuestion& question : questions) {
    const auto found = texts.find(question.id);
    JudgedQuestion one;
    one.question = &question;
    one.missing = found == texts.end();
    if (!one.missing) {
      one.text = found->second;
      one.judgment = kind.judge(question, one.text);
    }
    judged.push_back(one);
  }
  return judged;
}

nlohmann::json answer_value(const BenchmarkQuestion& question) {
  if (question.answers.empty()) return nullptr;
  return question.answers.size() == 1 ? nlohmann::json(question.answers[0])
                                      : nlohmann::json(question.answers);
}

nlohmann::json prediction_line(const JudgedQuestion& one, const BenchmarkOptions& options,
                               const EvalContext& context) {
  const BenchmarkQuestion& question = *one.question;
  const std::vector<Turn> turns = question_turns(question);
  const bool is_read = !one.missing && one.judgment.is_read, is_public = !question.answers.empty();
  nlohmann::json line = {{"id", question.id},
                         {"question", turns[0].text},
                         {"text", one.text},
                         {"parsed", is_read ? nlohmann::json(one.judgment.parsed) : nlohmann::json(nullptr)},
                         {"answer", answer_value(question)}};
  line["score"] = is_public ? nlohmann::json(one.judgment.score) : nlohmann::json(nullptr);
  line["correct"] = is_public ? nlohmann::json(one.judgment.score > 0.0) : nlohmann::json(nullptr);
  // What another program asked for given answers is not known here.
  if (needs_model(options))
    line["prompt"] = prompt_text(benchmark_template(options, context), turns, /*move_image_first=*/false);
  if (!question.picture.empty()) line["picture"] = question.picture.string();
  return line;
}

}  // namespace

nlohmann::json run_questions(const BenchmarkOptions& options, const EvalContext& context) {
  const QuestionKind& kind = question_kind(options.kind);
  const auto kept = benchmark_questions(options);
  const std::vector<BenchmarkQuestion>& questions = *kept;
  const Texts texts = needs_model(options) ? run_model(questions, options, context)
                                           : read_predictions(options.predictions, questions);
  const std::vector<JudgedQuestion> judged = judge(questions, texts, kind);
  const bool any = std::any_of(judged.begin(), judged.end(), [](const auto& one) { return !one.missing; });
  require(any, "eval", "expected answers to questions of ", options.path.string(), ", got none");
  PredictionsFile predictions(context.predictions, result_name(options));
  for (const JudgedQuestion& one : judged)
    predictions.write(prediction_line(one, options, context));
  predictions.finish();
  if (kind.server_file != nullptr) {
    const auto file = context.predictions.parent_path() / server_file_name(options);
    make_folder(file.parent_path());
    write_file_atomic(file, kind.server_file(judged, options));
  }
  return kind.summarize(judged, interval_seed(options, context));
}

std::string server_file_name(const BenchmarkOptions& options) {
  if (!is_question_kind(options.kind)) return "";
  const char* ending = question_kind(options.kind).server_ending;
  return ending == nullptr ? "" : "submissions/" + result_name(options) + ending;
}

}  // namespace qslaw
