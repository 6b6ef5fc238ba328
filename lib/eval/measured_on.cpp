#include "eval/measured_on.h"

#include <set>

#include "core/files.h"
#include "core/text.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// By content: the same data may lie elsewhere.
std::string data_hash(const BenchmarkOptions& options) {
  constexpr size_t kDigits = 16;
  std::set<fs::path> files = {options.problems, options.splits, options.annotations};
  if (is_question_kind(options.kind)) {  // `path` may be a folder with pictures; those are not hashed
    files.merge(files_of(read_benchmark_questions(options)));
  } else {
    files.insert(options.path);
  }
  std::set<std::string> hashes;
  for (const fs::path& file : files) {
    if (fs::is_regular_file(file)) hashes.insert(sha256_file(file));
  }
  return hashes.empty() ? "" : sha256(join({hashes.begin(), hashes.end()}, "\n")).substr(0, kDigits);
}

}  // namespace

nlohmann::json measured_on(const BenchmarkOptions& options, const EvalContext& context) {
  return {{"data", data_hash(options)},
          {"limit", options.limit},
          {"split", options.split},
          {"template", template_name(benchmark_template(options, context))},
          {"prompt_format", options.prompt_format},
          {"prompt_suffix", options.prompt_suffix},
          {"max_new_tokens", options.max_new_tokens},
          {"temperature", options.temperature},
          {"top_p", options.top_p},
          {"context", options.context},
          {"prompt_tokens", options.prompt_tokens},
          {"new_tokens", options.new_tokens}};
}

}  // namespace qslaw
