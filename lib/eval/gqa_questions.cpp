// GQA: testdev_balanced_questions.json and its like, an object of questions by id, or LLaVA's
// llava_gqa_testdev_balanced.jsonl with that as annotations. GQA's eval.py takes [{"questionId",
// "prediction"}].
#include "core/error.h"
#include "core/json_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

BenchmarkQuestion read_question(const std::string& id, const JsonEntry& entry,
                                const BenchmarkOptions& options) {
  BenchmarkQuestion question;
  question.id = id;
  question.question = entry.text("question");
  question.text = with_suffix(question.question, options.prompt_suffix);
  question.picture = options.images / (entry.name("imageId") + ".jpg");
  if (entry.has("answer")) question.answers = {entry.text("answer")};
  if (entry.has("types")) {
    const bool is_open = entry.below("types").text("structural") == "query";
    question.groups = {is_open ? "open" : "binary"};
  }
  return question;
}

json read_object(const fs::path& file) {
  json root = read_json_file(file);
  require(root.is_object(), file.string(), "expected an object of questions by id, got ", root.type_name());
  return root;
}

JsonEntry entry_of(const json& root, const std::string& id, const fs::path& file) {
  return {root.at(id), concat(file.string(), ", question ", id)};
}

}  // namespace

std::vector<BenchmarkQuestion> read_gqa(const BenchmarkOptions& options) {
  std::vector<BenchmarkQuestion> questions;
  if (!is_llava_file(options.path)) {
    const json root = read_object(options.path);
    for (const auto& item : root.items()) {
      questions.push_back(read_question(item.key(), entry_of(root, item.key(), options.path), options));
      questions.back().file = options.path;
    }
    return questions;
  }
  const json root = options.annotations.empty() ? json::object() : read_object(options.annotations);
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    require(options.annotations.empty() || root.contains(asked.id), asked.where, "expected the question ",
            asked.id, " in ", options.annotations.string(), ", got none");
    BenchmarkQuestion question;
    if (root.contains(asked.id))
      question = read_question(asked.id, entry_of(root, asked.id, options.annotations), options);
    question.id = asked.id;
    question.question = first_line(asked.text);
    ask_as(asked, options, question);
    questions.push_back(question);
  }
  return questions;
}

std::string gqa_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions&) {
  json all = json::array();
  for (const JudgedQuestion& one : judged) {
    if (!one.missing) all.push_back({{"questionId", one.question->id}, {"prediction", one.judgment.parsed}});
  }
  return dump_lenient(all);
}

}  // namespace qslaw
