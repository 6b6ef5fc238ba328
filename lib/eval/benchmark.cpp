#include "eval/benchmark.h"

#include "core/error.h"

namespace qslaw {

const std::vector<BenchmarkKind>& benchmark_kinds() {
  static const std::vector<BenchmarkKind> kinds = {
      {"scienceqa", run_scienceqa}, {"exact_match", run_exact_match},
      {"loss", run_loss},           {"text_perplexity", run_text_perplexity},
      {"speed", run_speed},
  };
  return kinds;
}

std::string result_name(const BenchmarkOptions& options) {
  return options.name.empty() ? options.kind : options.name;
}

bool needs_model(const BenchmarkOptions& options) {
  return options.predictions.empty();
}

TemplateKind benchmark_template(const BenchmarkOptions& options, const EvalContext& context) {
  return options.template_name.empty() ? context.template_kind : parse_template(options.template_name);
}

bool has_data(const BenchmarkOptions& options) {
  return options.kind != "scienceqa" && options.kind != "speed";
}

DataOptions benchmark_data(const BenchmarkOptions& options) {
  QSLAW_CHECK(has_data(options));
  DataOptions data;
  data.kind = options.kind == "text_perplexity" ? "text" : "llava";
  data.path = options.path;
  data.images = options.images;
  data.max_length = options.context;
  data.on_bad_sample = options.on_bad_sample;
  return data;
}

nlohmann::json run_benchmark(const BenchmarkOptions& options, const EvalContext& context) {
  for (const BenchmarkKind& kind : benchmark_kinds()) {
    if (kind.name == options.kind) return kind.run(options, context);
  }
  fail("eval", "expected a known benchmark, got ", options.kind);
}

}  // namespace qslaw
