#include "eval/measured_on.h"

#include "core/files.h"

namespace qslaw {
namespace {

// By content: the same data may lie elsewhere.
std::string data_hash(const BenchmarkOptions& options) {
  constexpr size_t kDigits = 16;
  std::string hashes;
  for (const auto& file : {options.path, options.problems, options.splits}) {
    if (!file.empty()) hashes += sha256_file(file) + "\n";
  }
  return hashes.empty() ? "" : sha256(hashes).substr(0, kDigits);
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
