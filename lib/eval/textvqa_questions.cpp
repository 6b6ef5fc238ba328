// TextVQA: TextVQA_0.5.1_<split>.json, or LLaVA's llava_textvqa_val_v051_ocr.jsonl (which has the OCR tokens
// in its prompts) with that file as annotations.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "eval/answer_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

struct Annotation {
  BenchmarkQuestion question;  // without text
  std::string image_id;
};

std::vector<std::string> read_answers(const JsonEntry& entry) {
  std::vector<std::string> answers;
  if (!entry.has("answers")) return answers;  // of the test split
  for (const json& answer : entry.list("answers")) {
    require(answer.is_string(), entry.where(), "expected texts as answers, got ", answer.type_name());
    answers.push_back(answer.get<std::string>());
  }
  require(!answers.empty(), entry.where(), "expected answers, got none");
  return answers;
}

std::vector<Annotation> read_annotations(const fs::path& file, const fs::path& images) {
  const json root = read_json_file(file);
  const JsonEntry top(root, file.string());
  std::vector<Annotation> annotations;
  for (const json& value : top.list("data")) {
    const JsonEntry entry(value, concat(file.string(), ", question ", annotations.size()));
    Annotation annotation;
    annotation.image_id = entry.text("image_id");
    annotation.question.id = entry.name("question_id");
    annotation.question.question = entry.text("question");
    annotation.question.picture = images / (annotation.image_id + ".jpg");
    annotation.question.answers = read_answers(entry);
    if (entry.has("set_name")) annotation.question.split = entry.text("set_name");
    annotation.question.file = file;
    annotations.push_back(annotation);
  }
  return annotations;
}

constexpr std::string_view kOcrTokens = "Reference OCR token:";

// The question within LLaVA's prompt, whose OCR tokens may stand in front of it or behind.
std::string question_of(const std::string& prompt) {
  const bool tokens_first = prompt.starts_with(kOcrTokens);
  return first_line(tokens_first ? prompt.substr(std::min(prompt.find('\n') + 1, prompt.size())) : prompt);
}

std::vector<BenchmarkQuestion> ask_annotated(const std::vector<Annotation>& annotations,
                                             const std::string& prompt_suffix) {
  std::vector<BenchmarkQuestion> questions;
  for (const Annotation& annotation : annotations) {
    questions.push_back(annotation.question);
    questions.back().text = with_suffix(annotation.question.question, prompt_suffix);
  }
  return questions;
}

// LLaVA's ids are the pictures', so the question tells them apart.
using Key = std::pair<std::string, std::string>;
// Those that no question has taken yet.
using AnnotationsLeft = std::multimap<Key, const Annotation*>;

// One asked twice has two annotations, each with an id; LLaVA's eval_textvqa.py scores all by the last one's
// answers.
BenchmarkQuestion take_annotated(AnnotationsLeft& left, const LlavaQuestion& asked, const fs::path& file) {
  const Key key(asked.id, lower_case(question_of(asked.text)));
  const auto [found, behind] = left.equal_range(key);  // in the file's order; the last one goes last
  require(found != behind, asked.where, "expected an annotation of this question of the picture ", asked.id,
          " in ", file.string(), ", got none");
  BenchmarkQuestion question = found->second->question;
  question.answers = std::prev(behind)->second->question.answers;
  left.erase(found);
  return question;
}

std::vector<BenchmarkQuestion> ask_llava(const std::vector<Annotation>& annotations,
                                         const BenchmarkOptions& options) {
  AnnotationsLeft left;
  for (const Annotation& annotation : annotations)
    left.emplace(Key(annotation.image_id, lower_case(annotation.question.question)), &annotation);
  std::vector<BenchmarkQuestion> questions;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    questions.push_back(take_annotated(left, asked, options.annotations));
    ask_as(asked, options, questions.back());
  }
  return questions;
}

}  // namespace

bool shows_ocr_tokens(const std::vector<BenchmarkQuestion>& questions) {
  return std::any_of(questions.begin(), questions.end(), [](const auto& question) {
    return question.text.find(kOcrTokens) != std::string::npos;
  });
}

std::vector<BenchmarkQuestion> read_textvqa(const BenchmarkOptions& options) {
  if (is_llava_file(options.path))
    return ask_llava(read_annotations(options.annotations, options.images), options);
  return ask_annotated(read_annotations(options.path, options.images), options.prompt_suffix);
}

}  // namespace qslaw
