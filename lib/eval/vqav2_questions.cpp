// VQAv2: v2_OpenEnded_mscoco_<subset>_questions.json, or LLaVA's llava_vqav2_mscoco_*.jsonl; annotations are
// v2_mscoco_<subset>_annotations.json. The server takes [{"question_id", "answer"}].
#include <iomanip>
#include <map>

#include "core/error.h"
#include "core/json_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"
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

std::vector<BenchmarkQuestion> read_published(const BenchmarkOptions& options) {
  std::vector<BenchmarkQuestion> questions;
  std::vector<std::string> pictures;
  const json root = read_json_list(options.path, "questions", [&](const json& value) {
    const JsonEntry entry(value, concat(options.path.string(), ", question ", questions.size()));
    BenchmarkQuestion question;
    question.id = entry.name("question_id");
    question.question = entry.text("question");
    question.text = with_suffix(question.question, options.prompt_suffix);
    pictures.push_back(entry.name("image_id"));
    questions.push_back(question);
  });
  const JsonEntry top(root, options.path.string());
  top.list("questions");
  const std::string subset = top.text("data_subtype");
  for (size_t i = 0; i < questions.size(); ++i) {
    questions[i].picture = options.images / picture_name(subset, pictures[i]);
    questions[i].split = subset;
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

struct Annotations {
  std::string subset;
  std::map<std::string, Annotation> by_question;
};

Annotations read_annotations(const fs::path& file) {
  Annotations annotations;
  size_t number = 0;
  const json root = read_json_list(file, "annotations", [&](const json& value) {
    const JsonEntry entry(value, concat(file.string(), ", annotation ", number++));
    Annotation& annotation = annotations.by_question[entry.name("question_id")];
    annotation.type = entry.text("answer_type");
    for (const json& answer : entry.list("answers"))
      annotation.answers.push_back(JsonEntry(answer, entry.where() + ", answers").text("answer"));
    require(!annotation.answers.empty(), entry.where(), "expected answers, got none");
  });
  const JsonEntry top(root, file.string());
  top.list("annotations");
  annotations.subset = top.text("data_subtype");
  return annotations;
}

std::vector<std::string> server_ids(const fs::path& file) {
  BenchmarkOptions options;
  options.path = file;
  const auto questions = is_llava_file(file) ? read_llava(options) : read_published(options);
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
  auto questions = is_llava_file(options.path) ? read_llava(options) : read_published(options);
  for (BenchmarkQuestion& question : questions)
    question.file = options.path;
  if (options.annotations.empty()) return questions;
  const Annotations annotations = read_annotations(options.annotations);
  for (BenchmarkQuestion& question : questions) {
    require(question.split.empty() || question.split == annotations.subset, "eval",
            "expected annotations of ", question.split, " as the questions in ", options.path.string(),
            " are, got those of ", annotations.subset, " (", options.annotations.string(), ")");
    const auto found = annotations.by_question.find(question.id);
    require(found != annotations.by_question.end(), "eval", "expected an annotation of the question ",
            question.id, " in ", options.annotations.string(), ", got none");
    question.answers = found->second.answers;
    question.groups = {found->second.type};
    question.split = annotations.subset;
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
