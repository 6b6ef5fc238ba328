#include "eval/question_kinds.h"

#include <map>

#include "core/error.h"
#include "eval/answer_scoring.h"
#include "eval/benchmark.h"
#include "eval/question_files.h"
#include "eval/vqa_scoring.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using QuestionList = std::shared_ptr<const std::vector<BenchmarkQuestion>>;

int keepers = 0;
std::map<std::string, QuestionList> kept;  // by the benchmark's name

struct AnswersOfSplit {
  size_t questions = 0, without = 0;
  std::string first_without;  // its id
};

// A split has the answers to all its questions or, where they are not public, to none. Other files are
// damaged, and the accuracy over the rest would not be the benchmark's.
void require_all_answers_or_none(const std::vector<BenchmarkQuestion>& questions, const fs::path& file) {
  std::map<std::string, AnswersOfSplit> splits;
  for (const BenchmarkQuestion& question : questions) {
    AnswersOfSplit& split = splits[question.split];
    ++split.questions;
    if (question.answers.empty() && split.without++ == 0) split.first_without = question.id;
  }
  for (const auto& [name, split] : splits)
    require(split.without == 0 || split.without == split.questions, file.string(),
            "expected answers to all questions or, as of a test split, to none, got ", split.without, " of ",
            split.questions, " without, the first being question ", split.first_without);
}

}  // namespace

KeptQuestions::KeptQuestions() {
  ++keepers;
}

KeptQuestions::~KeptQuestions() {
  if (--keepers == 0) kept.clear();
}

const QuestionKind& question_kind(const std::string& name) {
  static const std::vector<QuestionKind> kinds = {
      {"textvqa", read_textvqa, judge_textvqa, summarize_scores, nullptr, nullptr},
      {"vqav2", read_vqav2, judge_vqav2, summarize_scores, ".json", vqav2_server_file},
      {"gqa", read_gqa, judge_gqa, summarize_scores, ".json", gqa_server_file},
      {"vizwiz", read_vizwiz, judge_vizwiz, summarize_scores, ".json", vizwiz_server_file},
      {"pope", read_pope, judge_pope, summarize_pope, nullptr, nullptr},
      {"mme", read_mme, judge_mme, summarize_mme, nullptr, nullptr},
      {"mmbench", read_mmbench, judge_mmbench, summarize_units, ".xlsx", mmbench_server_file},
      {"seed_bench", read_seed_bench, judge_seed_bench, summarize_scores, ".jsonl", seed_bench_server_file},
  };
  for (const QuestionKind& kind : kinds) {
    if (kind.name == name) return kind;
  }
  fail("eval", "expected a benchmark of questions, got ", name);
}

std::vector<BenchmarkQuestion> read_benchmark_questions(const BenchmarkOptions& options) {
  std::vector<BenchmarkQuestion> questions = question_kind(options.kind).read(options);
  require(!questions.empty(), "eval", "expected questions in ", options.path.string(), ", got none");
  UniqueIds ids;
  for (const BenchmarkQuestion& question : questions)
    ids.add(question.id, question.file.string());
  require_all_answers_or_none(questions, options.annotations.empty() ? options.path : options.annotations);
  if (options.limit > 0 && options.limit < static_cast<int64_t>(questions.size()))
    questions.resize(static_cast<size_t>(options.limit));
  return questions;
}

QuestionList benchmark_questions(const BenchmarkOptions& options) {
  const auto known = kept.find(result_name(options));
  if (known != kept.end()) return known->second;
  auto questions = std::make_shared<const std::vector<BenchmarkQuestion>>(read_benchmark_questions(options));
  if (keepers > 0) kept[result_name(options)] = questions;
  return questions;
}

std::set<std::filesystem::path> files_of(const std::vector<BenchmarkQuestion>& questions) {
  std::set<std::filesystem::path> files;
  for (const BenchmarkQuestion& question : questions) {
    files.insert(question.file);
    if (!question.annotation.empty()) files.insert(question.annotation);
  }
  return files;
}

}  // namespace qslaw
