// The published picture benchmarks: how each reads its questions, judges an answer and sums up. To add one:
// a reader (<kind>_questions.cpp), a judge beside those with a like rule, a row in question_kinds.cpp and in
// options.cpp, rows in docs/recipes.md and docs/formats.md, a test.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "eval/benchmark_question.h"
#include "eval/options.h"

namespace qslaw {

/// What an answer's text says and is worth.
struct Judgment {
  std::string parsed;   // what was read from the text
  double score = 0.0;   // 0 to 1; 0 where the right answers are not public
  bool is_read = true;  // false: no answer could be read
};

struct JudgedQuestion {
  const BenchmarkQuestion* question = nullptr;  // not owned
  std::string text;
  Judgment judgment;
  bool missing = false;  // no answer was given: text is empty, the score 0
};

struct QuestionKind {
  const char* name;
  /// All questions, in the file's order. UserError naming file, line or entry, and key.
  std::vector<BenchmarkQuestion> (*read)(const BenchmarkOptions& options);
  Judgment (*judge)(const BenchmarkQuestion& question, const std::string& text);
  /// The metrics of docs/formats.md.
  nlohmann::json (*summarize)(const std::vector<JudgedQuestion>& judged, uint64_t seed);
  /// Ending of the file that the benchmark's server takes, and its bytes; null where there is no server.
  const char* server_ending;
  std::string (*server_file)(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options);
};

/// REQUIRES: is_question_kind(name).
const QuestionKind& question_kind(const std::string& name);

/// The questions of a benchmark, as far as its `limit`, their ids checked to differ. UserError where some of
/// a split have answers and others have none.
std::vector<BenchmarkQuestion> read_benchmark_questions(const BenchmarkOptions& options);

/// The same, read once while a KeptQuestions lives: of a recipe, whose benchmarks have names that differ. Not
/// thread safe.
std::shared_ptr<const std::vector<BenchmarkQuestion>> benchmark_questions(const BenchmarkOptions& options);

/// Keeps questions that are asked for, which may take hundreds of megabytes.
class KeptQuestions {
 public:
  KeptQuestions();
  ~KeptQuestions();
  KeptQuestions(const KeptQuestions&) = delete;
  KeptQuestions& operator=(const KeptQuestions&) = delete;
};

/// Whether some of TextVQA's questions are asked with the tokens that an OCR system read in their pictures,
/// as in LLaVA's file.
bool shows_ocr_tokens(const std::vector<BenchmarkQuestion>& questions);

/// The files that questions and their answers were read from; pictures are others.
std::set<std::filesystem::path> files_of(const std::vector<BenchmarkQuestion>& questions);

std::vector<BenchmarkQuestion> read_textvqa(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_vqav2(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_gqa(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_vizwiz(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_pope(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_mme(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_mmbench(const BenchmarkOptions& options);
std::vector<BenchmarkQuestion> read_seed_bench(const BenchmarkOptions& options);

std::string vqav2_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options);
std::string gqa_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options);
std::string vizwiz_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options);
std::string mmbench_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options);
std::string seed_bench_server_file(const std::vector<JudgedQuestion>& judged,
                                   const BenchmarkOptions& options);

}  // namespace qslaw
