// VQAv2: v2_OpenEnded_mscoco_<subset>_questions.json, or LLaVA's llava_vqav2_mscoco_*.jsonl; annotations are
// v2_mscoco_<subset>_annotations.json. The server takes [{"question_id", "answer"}].
#include <iomanip>
#include <map>

#include "core/error.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"
#include "eval/server_files.h"
#include "eval/vqa_scoring.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

struct Annotation {
  std::vector<std::string> answers;
  std::string type;  // "yes/no", "number" or "other"
};

// COCO_val2014_000000458752.jpg; test-dev2015 are pictures of test2015.
std::string picture_name(const std::string& subset, const std::string& image_id) {
  const std::string folder = subset.starts_with("test-dev") ? "test" + subset.substr(8) : subset;
  std::ostringstream name;
  name << "COCO_" << folder << "_" << std::setw(12) << std::setfill('0') << image_id << ".jpg";
  return name.str();
}

std::vector<BenchmarkQuestion> read_published(const json& root, const BenchmarkOptions& options) {
  const JsonEntry top(root, options.path.string());
  const std::string subset = top.text("data_subtype");
  std::vector<BenchmarkQuestion> questions;
  for (const json& value : top.list("questions")) {
    const JsonEntry entry(value, concat(options.path.string(), ", question ", questions.size()));
    BenchmarkQuestion question;
    question.id = entry.name("question_id");
    question.question = entry.text("question");
    question.text = with_suffix(question.question, options.prompt_suffix);
    question.picture = options.images / picture_name(subset, entry.name("image_id"));
    question.split = subset;
    questions.push_back(question);
  }
  return questions;
}

std::vector<BenchmarkQuestion> read_llava(const BenchmarkOptions& options) {
  std::vector<BenchmarkQuestion> questions;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    BenchmarkQuestion question;
    question.id = asked.id;
    question.question = first_line(asked.text);
    ask_as(asked, options, question);
    questions.push_back(question);
  }
  return questions;
}

std::map<std::string, Annotation> read_annotations(const json& root, const fs::path& file) {
  const JsonEntry top(root, file.string());
  std::map<std::string, Annotation> annotations;
  for (const json& value : top.list("annotations")) {
    const JsonEntry entry(value, concat(file.string(), ", annotation ", annotations.size()));
    Annotation& annotation = annotations[entry.name("question_id")];
    annotation.type = entry.text("answer_type");
    for (const json& answer : entry.list("answers"))
      annotation.answers.push_back(JsonEntry(answer, entry.where() + ", answers").text("answer"));
    require(!annotation.answers.empty(), entry.where(), "expected answers, got none");
  }
  return annotations;
}

void require_same_subset(const json& questions, const json& annotations, const BenchmarkOptions& options) {
  const std::string asked = JsonEntry(questions, options.path.string()).text("data_subtype");
  const std::string answered = JsonEntry(annotations, options.annotations.string()).text("data_subtype");
  require(asked == answered, "eval", "expected annotations of ", asked, " as the questions in ",
          options.path.string(), " are, got those of ", answered, " (", options.annotations.string(), ")");
}

std::vector<std::string> server_ids(const fs::path& file) {
  BenchmarkOptions options;
  options.path = file;
  const auto questions =
      is_llava_file(file) ? read_llava(options) : read_published(read_json_file(file), options);
  std::vector<std::string> ids;
  for (const BenchmarkQuestion& question : questions)
    ids.push_back(question.id);
  return ids;
}

json number_or_text(const std::string& id) {
  const json number = json::parse(id, nullptr, /*allow_exceptions=*/false);
  return number.is_number_integer() ? number : json(id);
}

}  // namespace

std::vector<BenchmarkQuestion> read_vqav2(const BenchmarkOptions& options) {
  const json root = is_llava_file(options.path) ? json() : read_json_file(options.path);
  auto questions = root.is_null() ? read_llava(options) : read_published(root, options);
  for (BenchmarkQuestion& question : questions)
    question.file = options.path;
  if (options.annotations.empty()) return questions;
  const json answers = read_json_file(options.annotations);
  if (!root.is_null()) require_same_subset(root, answers, options);
  const auto annotations = read_annotations(answers, options.annotations);
  const std::string subset = JsonEntry(answers, options.annotations.string()).text("data_subtype");
  for (BenchmarkQuestion& question : questions) {
    const auto found = annotations.find(question.id);
    require(found != annotations.end(), "eval", "expected an annotation of the question ", question.id,
            " in ", options.annotations.string(), ", got none");
    question.answers = found->second.answers;
    question.split = subset;
    question.groups = {found->second.type};
  }
  return questions;
}

std::string vqav2_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options) {
  std::map<std::string, std::string> answers;
  std::vector<std::string> ids;
  for (const JudgedQuestion& one : judged) {
    answers[one.question->id] = one.judgment.parsed;
    ids.push_back(one.question->id);
  }
  if (!options.server_questions.empty()) ids = server_ids(options.server_questions);
  json all = json::array();
  for (const std::string& id : ids)
    all.push_back({{"question_id", number_or_text(id)}, {"answer", answers[id]}});
  return dump_lenient(all);
}

}  // namespace qslaw
