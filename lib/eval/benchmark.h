// Benchmarks: one function each and one table. To add one: its file, a row in benchmark.cpp's table, its
// options (options.h, lib/recipe/fields.h), a test.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/image_transform.h"
#include "data/scienceqa.h"
#include "eval/options.h"
#include "io/tokenizer.h"
#include "model/llava.h"

namespace qslaw {

/// What a benchmark runs on. Nothing is owned.
struct EvalContext {
  // Both are null, and the transform is not looked at, when every benchmark scores given predictions.
  const Llava* model = nullptr;
  const Tokenizer* tokenizer = nullptr;
  TemplateKind template_kind = TemplateKind::vicuna_v1;
  ImageTransform transform;
  std::filesystem::path predictions;  // folder for <benchmark>.jsonl
  uint64_t seed = 42;
  std::filesystem::path answers = {};  // folder for answers of an unfinished run; empty keeps none
};

struct BenchmarkKind {
  const char* name;
  /// Returns the metrics of docs/formats.md.
  nlohmann::json (*run)(const BenchmarkOptions& options, const EvalContext& context);
};
const std::vector<BenchmarkKind>& benchmark_kinds();

/// Name under which a benchmark's results are stored: `name`, or the kind.
std::string result_name(const BenchmarkOptions& options);

/// True when the benchmark runs the model (it does not when it scores a predictions file).
bool needs_model(const BenchmarkOptions& options);
/// True when some benchmark does.
bool needs_model(const EvalOptions& options);

/// Name, beside the folder of predictions, of the file for the benchmark's server ("submissions/vqav2.json");
/// "" for a kind without one.
std::string server_file_name(const BenchmarkOptions& options);

/// Runs one benchmark.
nlohmann::json run_benchmark(const BenchmarkOptions& options, const EvalContext& context);

/// Of the draws for a benchmark's intervals: its own, so that those of two benchmarks are independent.
uint64_t interval_seed(const BenchmarkOptions& options, const EvalContext& context);

/// The template the benchmark asks for, or the model's.
TemplateKind benchmark_template(const BenchmarkOptions& options, const EvalContext& context);

/// The problems of a scienceqa benchmark, as far as its `limit`. UserError as read_scienceqa's.
std::vector<ScienceQaProblem> benchmark_problems(const BenchmarkOptions& options);
/// What a scienceqa benchmark asks: the human's only turn, with "<image>" where the problem has a picture.
std::vector<Turn> scienceqa_turns(const ScienceQaProblem& problem, const BenchmarkOptions& options);
/// "PROBLEMS, problem ID", for messages.
std::string scienceqa_place(const ScienceQaProblem& problem, const BenchmarkOptions& options);
/// The turns encoded. UserError where the problem's own texts hold "<image>".
std::vector<int64_t> scienceqa_prompt(const ScienceQaProblem& problem, const BenchmarkOptions& options,
                                      const Tokenizer& tokenizer, TemplateKind kind);

nlohmann::json run_scienceqa(const BenchmarkOptions& options, const EvalContext& context);
nlohmann::json run_exact_match(const BenchmarkOptions& options, const EvalContext& context);
nlohmann::json run_loss(const BenchmarkOptions& options, const EvalContext& context);
nlohmann::json run_text_perplexity(const BenchmarkOptions& options, const EvalContext& context);
/// Any of question_kind_names().
nlohmann::json run_questions(const BenchmarkOptions& options, const EvalContext& context);
nlohmann::json run_speed(const BenchmarkOptions& options, const EvalContext& context);

}  // namespace qslaw
