// What a recipe's `eval` section says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/options.h"

namespace qslaw {

/// Tokens between the starts of sliding windows: that of Hugging Face's guide to perplexity.
inline constexpr int64_t kDefaultStride = 512;

/// One benchmark. Fields that a kind does not use must be left at their defaults.
struct BenchmarkOptions {
  std::string
      kind;  // scienceqa | exact_match | loss | text_perplexity | speed | one of question_kind_names()
  std::string name;  // of the results; default: the kind
  // scienceqa: problems, splits, images, split, prompt_format. exact_match, loss: path (LLaVA JSON), images.
  // Question benchmarks: path (questions), annotations (answers, where path has none), images.
  std::filesystem::path problems, splits, images, path, annotations;
  std::filesystem::path server_questions;  // vqav2: questions that the server wants answers to
  std::string split = "test";              // mmbench: of the file's column, empty for all rows
  std::string prompt_format = "QCM-LEA";
  std::string
      prompt_suffix;  // appended to every question, e.g. LLaVA-1.5's "\nAnswer with the option's letter ..."
  std::string template_name;          // default: the model's
  std::filesystem::path predictions;  // scienceqa, question benchmarks: score these answers (JSONL of id,
                                      // text) instead of running a model
  int64_t limit = 0;                  // samples; 0 = all
  int64_t batch_size = 8;
  int64_t max_new_tokens = 1024;
  double temperature = 0.0;         // 0 = greedy
  double top_p = 1.0;               // sampling: smallest set of tokens whose probability reaches this
  int64_t context = 2048;           // text_perplexity: tokens per window
  std::optional<std::string> join;  // text_perplexity, like the next two: as in DataOptions
  std::string windows = "bos";
  int64_t stride = 0;
  int64_t prompt_tokens = 640;  // speed
  int64_t new_tokens = 128;     // speed
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
};

struct EvalOptions {
  std::vector<BenchmarkOptions> benchmarks;
};

/// The data set that a benchmark asks about. REQUIRES: has_data.
DataOptions benchmark_data(const BenchmarkOptions& options);
/// True for known kinds that ask about one: all but speed.
bool has_data(const BenchmarkOptions& options);

/// The published picture benchmarks (question_kinds.h), and whether a kind is one.
const std::vector<std::string>& question_kind_names();
bool is_question_kind(const std::string& kind);

/// The instruction that LLaVA-1.5 puts behind a benchmark's questions; "" for other kinds.
std::string default_prompt_suffix(const std::string& kind);

/// Tokens of an answer, at most: LLaVA-1.5's limit for the question benchmarks, 1024 for other kinds.
int64_t default_max_new_tokens(const std::string& kind);

/// UserError for unknown kinds, files that a kind needs and the recipe does not name, and names used twice.
/// Whether files exist is found when they are opened.
void check(const EvalOptions& options);

}  // namespace qslaw
