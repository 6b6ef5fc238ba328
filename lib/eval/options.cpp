#include "eval/options.h"

#include <algorithm>
#include <map>

#include "core/key_error.h"

namespace qslaw {
namespace {

/// Names become file names and keys of report.json.
void check_name(const std::string& name, const std::string& key) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c == '.';
  });
  require_key(plain && !name.empty() && name[0] != '.', key,
              "expected letters, digits, \"_\", \"-\" and \".\", not starting with \".\", got \"", name,
              "\"");
}

// Kind of benchmark -> kind of its data.
const std::map<std::string, std::string>& data_kinds() {
  static const std::map<std::string, std::string> kinds = {{"scienceqa", "scienceqa"},
                                                           {"exact_match", "llava"},
                                                           {"loss", "llava"},
                                                           {"text_perplexity", "text"},
                                                           {"speed", ""}};
  return kinds;
}

/// LLaVA's question files have no answers; without them these kinds have no score, and no server either.
void check_annotations(const BenchmarkOptions& options, const std::string& key) {
  const bool has_server = options.kind == "vqav2" || options.kind == "gqa" || options.kind == "vizwiz";
  const bool needs = options.path.extension() == ".jsonl" && !has_server;
  require_key(!needs || !options.annotations.empty(), key + ".annotations",
              "expected a path beside the .jsonl of ", options.kind, ", got none");
}

// Ahead of the checks of the data, whose kind has another name.
void check_path(const BenchmarkOptions& options, const std::string& key) {
  const bool has_path = is_question_kind(options.kind) || (has_data(options) && options.kind != "scienceqa");
  require_key(!has_path || !options.path.empty(), key + ".path", "expected a path for kind ", options.kind,
              ", got none");
}

void check_questions(const BenchmarkOptions& options, const std::string& key) {
  check_annotations(options, key);
  require_at_least(key + ".limit", options.limit, 0);
}

void check_numbers(const BenchmarkOptions& options, const std::string& key) {
  require_between(key + ".batch_size", options.batch_size, 1, kMaxBatchSize);
  require_between(key + ".max_new_tokens", options.max_new_tokens, 1, kMaxTokens);
  require_between(key + ".temperature", options.temperature, 0.0, 100.0);
  require_positive(key + ".top_p", options.top_p, 1.0);
  const bool halves = options.windows == "llama_cpp";  // the first half and a token more do not count
  require_between(key + ".context", options.context, halves ? 3 : 2, kMaxTokens);
  if (options.windows == "sliding") {
    require_at_least(key + ".stride", options.stride, 1);
    require_key(options.stride <= options.context, key + ".stride", "expected at most context, ",
                options.context, ", got ", options.stride);
  }
  require_between(key + ".prompt_tokens", options.prompt_tokens, 1, kMaxTokens);
  require_between(key + ".new_tokens", options.new_tokens, 1, kMaxTokens);
}

void check_benchmark(const BenchmarkOptions& options, const std::string& key) {
  std::vector<std::string> kinds = question_kind_names();
  for (const auto& [kind, unused] : data_kinds())
    kinds.push_back(kind);
  std::sort(kinds.begin(), kinds.end());
  require_one_of(key + ".kind", options.kind, kinds);
  check_name(options.name, key + ".name");
  check_numbers(options, key);  // `context` before it is the data's max_length
  check_path(options, key);
  if (is_question_kind(options.kind)) check_questions(options, key);
  if (has_data(options)) check(benchmark_data(options), key);
  if (!options.template_name.empty()) check_template(options.template_name, key + ".template");
}

}  // namespace

bool has_data(const BenchmarkOptions& options) {
  const auto found = data_kinds().find(options.kind);
  return found != data_kinds().end() && !found->second.empty();
}

DataOptions benchmark_data(const BenchmarkOptions& options) {
  DataOptions data;
  data.kind = data_kinds().at(options.kind);
  data.path = options.path;
  data.images = options.images;
  data.problems = options.problems;
  data.splits = options.splits;
  data.split = options.split;
  data.prompt_format = options.prompt_format;
  data.join = options.join;
  data.windows = options.windows;
  data.stride = options.stride;
  data.limit = options.limit;
  data.max_length = options.context;
  data.on_bad_sample = options.on_bad_sample;
  return data;
}

const std::vector<std::string>& question_kind_names() {
  static const std::vector<std::string> names = {"textvqa", "vqav2", "gqa",     "vizwiz",
                                                 "pope",    "mme",   "mmbench", "seed_bench"};
  return names;
}

bool is_question_kind(const std::string& kind) {
  const auto& names = question_kind_names();
  return std::find(names.begin(), names.end(), kind) != names.end();
}

std::string default_prompt_suffix(const std::string& kind) {
  const std::string phrase = "\nAnswer the question using a single word or phrase.";
  if (!is_question_kind(kind)) return "";
  if (kind == "mmbench" || kind == "seed_bench")
    return "\nAnswer with the option's letter from the given choices directly.";
  if (kind == "vizwiz")
    return "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + phrase;
  return phrase;
}

int64_t default_max_new_tokens(const std::string& kind) {
  return is_question_kind(kind) ? 128 : BenchmarkOptions{}.max_new_tokens;
}

void check(const EvalOptions& options) {
  require_key(!options.benchmarks.empty(), "eval.benchmarks", "expected at least one benchmark, got none");
  std::map<std::string, size_t> first_use;
  for (size_t i = 0; i < options.benchmarks.size(); ++i) {
    const BenchmarkOptions& benchmark = options.benchmarks[i];
    const std::string key = concat("eval.benchmarks.", i);
    check_benchmark(benchmark, key);
    const auto [first, is_new] = first_use.emplace(benchmark.name, i);
    require_key(is_new, key + ".name", "expected names that differ (the default is the kind), got \"",
                benchmark.name, "\" as in eval.benchmarks.", first->second);
  }
}

}  // namespace qslaw
