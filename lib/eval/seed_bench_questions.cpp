// SEED-Bench: SEED-Bench.json, of which the questions on pictures are asked, or LLaVA's
// llava-seed-bench.jsonl with that file as annotations. The leaderboard takes {"question_id", "prediction"}
// per line.
#include <map>

#include "core/error.h"
#include "core/json_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

std::map<std::string, std::string> task_names(const JsonEntry& top, const json& root) {
  const JsonEntry tasks = top.below("question_type");
  std::map<std::string, std::string> names;
  for (const auto& item : root.at("question_type").items())
    names[tasks.name(item.key().c_str())] = item.key();
  return names;
}

BenchmarkQuestion read_question(const JsonEntry& entry, const std::map<std::string, std::string>& tasks,
                                const BenchmarkOptions& options) {
  BenchmarkQuestion question;
  question.id = entry.name("question_id");
  question.question = entry.text("question");
  std::string text = question.question;
  for (const char* key : {"choice_a", "choice_b", "choice_c", "choice_d"}) {
    text += "\n" + choice_letter(question.choices.size()) + ". " + entry.name(key);
    question.choices.push_back(entry.name(key));
  }
  question.text = with_suffix(text, options.prompt_suffix);
  question.answers = {entry.text("answer")};
  const std::string& answer = question.answers[0];
  require(answer.size() == 1 && answer[0] >= 'A' && answer[0] <= 'D', entry.where(),
          "expected a letter from A to D as answer, got \"", answer, "\"");
  const auto task = tasks.find(entry.name("question_type_id"));
  require(task != tasks.end(), entry.where(), "expected a question_type_id of question_type, got ",
          entry.name("question_type_id"));
  question.groups = {task->second};
  question.picture = options.images / entry.text("data_id");
  return question;
}

std::vector<BenchmarkQuestion> read_published(const fs::path& file, const BenchmarkOptions& options) {
  const json root = read_json_file(file);
  const JsonEntry top(root, file.string());
  const auto tasks = task_names(top, root);
  std::vector<BenchmarkQuestion> questions;
  size_t number = 0;
  for (const json& value : top.list("questions")) {
    const JsonEntry entry(value, concat(file.string(), ", question ", number++));
    if (entry.text("data_type") != "image") continue;
    questions.push_back(read_question(entry, tasks, options));
    questions.back().file = file;
  }
  return questions;
}

}  // namespace

std::vector<BenchmarkQuestion> read_seed_bench(const BenchmarkOptions& options) {
  if (!is_llava_file(options.path)) return read_published(options.path, options);
  std::map<std::string, BenchmarkQuestion> annotations;
  for (const BenchmarkQuestion& question : read_published(options.annotations, options))
    annotations[question.id] = question;
  std::vector<BenchmarkQuestion> questions;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    const auto found = annotations.find(asked.id);
    if (found == annotations.end()) continue;  // on a video
    BenchmarkQuestion question = found->second;
    ask_as(asked, options, question);
    questions.push_back(question);
  }
  require(!questions.empty(), "eval", "expected questions on pictures of ", options.annotations.string(),
          " in ", options.path.string(), ", got none");
  return questions;
}

std::string seed_bench_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions&) {
  std::string lines;
  for (const JudgedQuestion& one : judged)
    lines += dump_lenient({{"question_id", one.question->id}, {"prediction", one.text}}) + "\n";
  return lines;
}

}  // namespace qslaw
