#include "eval/measured_on.h"

#include <set>

#include "core/files.h"
#include "core/text.h"
#include "data/text_file.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// By content: the same data may lie elsewhere.
std::string data_hash(const BenchmarkOptions& options) {
  constexpr size_t kDigits = 16;
  std::set<fs::path> files = {options.problems, options.splits, options.annotations};
  if (is_question_kind(options.kind)) {  // `path` may be a folder with pictures; those are not hashed
    files.merge(files_of(*benchmark_questions(options)));
  } else {
    files.insert(options.path);
  }
  std::set<std::string> hashes;
  for (const fs::path& file : files) {
    if (fs::is_regular_file(file)) hashes.insert(sha256_file(file));
  }
  return hashes.empty() ? "" : sha256(join({hashes.begin(), hashes.end()}, "\n")).substr(0, kDigits);
}

// Of which part of the data set the questions are, as far as their files say.
void add_split(const BenchmarkOptions& options, nlohmann::json& measured) {
  std::set<std::string> splits;
  for (const BenchmarkQuestion& question : *benchmark_questions(options)) {
    if (!question.split.empty()) splits.insert(question.split);
  }
  if (!splits.empty()) measured["split"] = join({splits.begin(), splits.end()});
}

// What the model is asked and how it answers.
void add_asking(const BenchmarkOptions& options, const EvalContext& context, nlohmann::json& measured) {
  const bool scienceqa = options.kind == "scienceqa", asks = scienceqa || is_question_kind(options.kind);
  if (options.kind != "text_perplexity")
    measured["template"] = template_name(benchmark_template(options, context));
  if (scienceqa) measured["prompt_format"] = options.prompt_format;
  if (asks) measured["prompt_suffix"] = options.prompt_suffix;
  if (options.kind == "textvqa") measured["ocr_tokens"] = shows_ocr_tokens(*benchmark_questions(options));
  if (!asks && options.kind != "exact_match") return;
  measured["max_new_tokens"] = options.max_new_tokens;
  measured["temperature"] = options.temperature;
  if (options.temperature > 0) measured["top_p"] = options.top_p;
}

// How text is cut.
void add_windows(const BenchmarkOptions& options, nlohmann::json& measured) {
  measured["join"] = options.join.value_or(default_join(options.path));
  measured["windows"] = options.windows;
  measured["stride"] = options.stride;
}

}  // namespace

nlohmann::json measured_on(const BenchmarkOptions& options, const EvalContext& context) {
  if (options.kind == "speed")
    return {{"prompt_tokens", options.prompt_tokens}, {"new_tokens", options.new_tokens}};
  nlohmann::json measured = {{"data", data_hash(options)}, {"limit", options.limit}};
  if (options.kind == "scienceqa") measured["split"] = options.split;
  if (is_question_kind(options.kind)) add_split(options, measured);
  if (has_data(options) && options.kind != "scienceqa") measured["context"] = options.context;
  if (options.kind == "text_perplexity") add_windows(options, measured);
  if (needs_model(options)) add_asking(options, context, measured);
  return measured;
}

}  // namespace qslaw
