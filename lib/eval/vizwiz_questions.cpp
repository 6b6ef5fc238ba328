// VizWiz: train.json, val.json or test.json, or LLaVA's llava_test.jsonl with one of these as annotations. A
// picture has one question. The server takes [{"image", "answer"}].
#include <map>

#include "core/error.h"
#include "core/json_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

void read_answers(const JsonEntry& entry, BenchmarkQuestion& question) {
  if (!entry.has("answers")) return;  // of the test split
  for (const json& answer : entry.list("answers"))
    question.answers.push_back(JsonEntry(answer, entry.where() + ", answers").text("answer"));
  require(!question.answers.empty(), entry.where(), "expected answers, got none");
  question.groups = {entry.text("answer_type")};
}

// "val" of VizWiz_val_00000000.jpg; "" of another name.
std::string split_of(const std::string& picture) {
  constexpr std::string_view kBegin = "VizWiz_";
  const size_t end = picture.find('_', kBegin.size());
  if (!picture.starts_with(kBegin) || end == picture.npos) return "";
  return picture.substr(kBegin.size(), end - kBegin.size());
}

std::vector<BenchmarkQuestion> read_published(const fs::path& file, const BenchmarkOptions& options) {
  const json root = read_json_file(file);
  require(root.is_array(), file.string(), "expected a list of questions, got ", root.type_name());
  std::vector<BenchmarkQuestion> questions;
  for (const json& value : root) {
    const JsonEntry entry(value, concat(file.string(), ", question ", questions.size()));
    BenchmarkQuestion question;
    question.id = entry.text("image");
    question.question = entry.text("question");
    question.text = with_suffix(question.question, options.prompt_suffix);
    question.picture = options.images / question.id;
    question.file = file;
    question.split = split_of(question.id);
    read_answers(entry, question);
    questions.push_back(question);
  }
  return questions;
}

}  // namespace

std::vector<BenchmarkQuestion> read_vizwiz(const BenchmarkOptions& options) {
  if (!is_llava_file(options.path)) return read_published(options.path, options);
  std::map<std::string, BenchmarkQuestion> annotations;
  if (!options.annotations.empty()) {
    for (const BenchmarkQuestion& question : read_published(options.annotations, options))
      annotations[question.id] = question;
  }
  std::vector<BenchmarkQuestion> questions;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    const auto found = annotations.find(asked.image);
    require(options.annotations.empty() || found != annotations.end(), asked.where,
            "expected an annotation of the picture ", asked.image, " in ", options.annotations.string(),
            ", got none");
    BenchmarkQuestion question = found == annotations.end() ? BenchmarkQuestion{} : found->second;
    question.id = asked.id;  // by which LLaVA's answers and their conversion go
    question.question = first_line(asked.text);
    question.split = split_of(asked.image);
    ask_as(asked, options, question);
    questions.push_back(question);
  }
  return questions;
}

std::string vizwiz_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options) {
  json all = json::array();
  for (const JudgedQuestion& one : judged) {
    const fs::path image = one.question->picture.lexically_relative(options.images);
    all.push_back({{"image", image.string()}, {"answer", one.judgment.parsed}});
  }
  return dump_lenient(all);
}

}  // namespace qslaw
