// text_perplexity against what transformers gives where published code cuts and counts
// (tests/fixtures/perplexity).
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "eval/interval.h"
#include "eval_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using Catch::Contains;
using nlohmann::json;

namespace {

fs::path fixture(const std::string& name) {
  return fs::path(QSLAW_FIXTURES) / "perplexity" / name;
}

class PerplexityCase {
 public:
  PerplexityCase()
      : expected(read_json(fixture("expected.json"))),
        tokenizer_(Tokenizer::load(fs::path(QSLAW_SOURCE) / "recipes" / "demo" / "base" / "init")) {
    at::set_num_threads(1);
    ModelSource source;
    source.path = fixture("");
    model_ = load_llava(source, read_config(source), at::kFloat, at::kCPU, dense_maker(at::kFloat, at::kCPU));
  }

  BenchmarkOptions options(const std::string& windows) const {
    BenchmarkOptions options;
    options.kind = "text_perplexity";
    options.path = fixture("rows.jsonl");
    options.windows = windows;
    options.context = expected.at("context");
    if (windows == "sliding") options.stride = expected.at("stride");
    options.batch_size = 4;  // the last sliding window is shorter: padding must not count
    return options;
  }

  json run(const BenchmarkOptions& options) const {
    return run_benchmark(options, {&model_, &tokenizer_, TemplateKind::vicuna_v1, tiny_transform(),
                                   folder_.path() / "predictions", 42});
  }
  std::vector<json> lines() const {
    return read_lines(folder_.path() / "predictions" / "text_perplexity.jsonl");
  }
  /// A file of this case in the place of the text.
  json run_text(const std::string& text, const std::string& windows,
                const std::string& name = "text.txt") const {
    BenchmarkOptions changed = options(windows);
    changed.path = folder_.path() / name;
    write_file_atomic(changed.path, text);
    return run(changed);
  }

  json expected;

 private:
  TemporaryFolder folder_;
  Tokenizer tokenizer_;
  Llava model_;
};

// float32 on this side, over 2 blocks of width 32: rounding of 6e-8 grows to some 1e-6 of a loss of 7, which
// the exponential multiplies by 7.
constexpr double kTolerance = 1e-5;

}  // namespace

TEST_CASE("text_perplexity: each kind of windows gives what the code it is named for gives") {
  const PerplexityCase perplexity;
  const std::string kind = GENERATE("bos", "stream", "sliding", "llama_cpp");
  const bool raw_file = GENERATE(false, true);
  INFO(kind << (raw_file ? " of wiki.test.raw" : " of rows.jsonl"));
  BenchmarkOptions options = perplexity.options(kind);
  if (raw_file) {
    options.path = fixture("wiki.test.raw");
    options.join = "\n\n";
  }
  const json result = perplexity.run(options), expected = perplexity.expected.at(kind);
  const auto lines = perplexity.lines();
  const json& windows = expected.at("windows");
  REQUIRE(lines.size() == windows.size());
  int64_t tokens = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    INFO("window " << i);
    CHECK(lines[i].at("tokens") == windows[i][0]);
    CHECK(lines[i].at("nll").get<double>() == Approx(windows[i][1].get<double>()).epsilon(kTolerance));
    tokens += windows[i][0].get<int64_t>();
  }
  const double value = expected.at("perplexity").get<double>();
  CHECK(result.at("perplexity").get<double>() == Approx(value).epsilon(kTolerance));
  CHECK(result.at("loss").get<double>() == Approx(std::log(value)).epsilon(kTolerance));
  CHECK(result.at("n") == windows.size());
  CHECK(result.at("tokens") == tokens);
  CHECK(result.at("context") == perplexity.expected.at("context"));
  CHECK(result.at("windows") == kind);
  CHECK(result.contains("stride") == (kind == "sliding"));
  CHECK(result.at("perplexity_low") < result.at("perplexity"));
  CHECK(result.at("perplexity_high") > result.at("perplexity"));
  CHECK(result.at("measured_on").at("windows") == kind);
  CHECK(result.at("measured_on").at("stride") == options.stride);
  CHECK(result.at("measured_on").at("join") == "\n\n");
}

TEST_CASE("text_perplexity: the guide to sliding windows weighs all but the first by one token too few") {
  const PerplexityCase perplexity;
  perplexity.run(perplexity.options("sliding"));
  double nll = 0.0, weight = 0.0;
  for (const json& line : perplexity.lines()) {
    const double counted = line.at("tokens"), weighs = counted - (line.at("id") == "0" ? 0 : 1);
    nll += line.at("nll").get<double>() / counted * weighs;
    weight += weighs;
  }
  const double guide = perplexity.expected.at("sliding").at("guide_perplexity");
  CHECK(std::exp(nll / weight) == Approx(guide).epsilon(kTolerance));
}

TEST_CASE("text_perplexity: windows that slide by their length are stream's, and the rest of the text") {
  const PerplexityCase perplexity;
  const json stream = perplexity.run(perplexity.options("stream"));
  const auto side_by_side = perplexity.lines();
  BenchmarkOptions touching = perplexity.options("sliding");
  touching.stride = touching.context;
  perplexity.run(touching);
  auto sliding = perplexity.lines();
  REQUIRE(sliding.size() == side_by_side.size() + 1);
  const auto left = static_cast<int64_t>(perplexity.expected.at("ids").size()) % touching.context;
  CHECK(sliding.back().at("tokens") == left - 1);
  sliding.pop_back();
  CHECK(sliding == side_by_side);

  touching.limit = static_cast<int64_t>(side_by_side.size());
  const json limited = perplexity.run(touching);
  for (const char* key : {"perplexity", "perplexity_low", "perplexity_high", "loss", "n", "tokens"})
    CHECK(limited.at(key) == stream.at(key));
}

TEST_CASE("text_perplexity: one window has no interval") {
  const PerplexityCase perplexity;
  BenchmarkOptions options = perplexity.options("stream");
  options.limit = 1;
  const json result = perplexity.run(options);
  CHECK(result.at("n") == 1);
  CHECK(result.at("perplexity_low").is_null());
  CHECK(result.at("perplexity_high").is_null());
}

TEST_CASE("text_perplexity: texts that cannot be measured") {
  const PerplexityCase perplexity;
  for (const char* kind : {"stream", "llama_cpp"}) {
    CHECK_THROWS_WITH(perplexity.run_text("Too short.", kind),
                      Contains("[data] expected at least one window of 24 tokens in") &&
                          Contains("text.txt, got") && Contains("tokens with BOS"));
    CHECK_THROWS_AS(perplexity.run_text("Too short.", kind), UserError);
  }
  CHECK(perplexity.run_text("Too short.", "sliding").at("n") == 1);  // the guide takes what there is
  for (const char* kind : {"bos", "stream", "sliding", "llama_cpp"}) {
    INFO(kind);
    CHECK_THROWS_WITH(perplexity.run_text("", kind), Contains("expected text in") && Contains("got none"));
    CHECK_THROWS_WITH(perplexity.run_text("\n\n", kind, "text.jsonl"), Contains("got none"));
    CHECK_THROWS_WITH(perplexity.run_text("a\xff b", kind),
                      Contains("expected UTF-8 in") && Contains("byte 1"));
  }
}

TEST_CASE("bootstrap of a ratio: of equal weights the mean's, of others as the delta method says") {
  std::vector<double> values;
  std::vector<RatioPart> parts, equal_parts;
  double sum = 0.0, weight = 0.0;
  for (int i = 0; i < 400; ++i) {
    parts.push_back({(1.0 + i % 7) * (2.0 + std::sin(37.0 * i)), 1.0 + i % 7});
    values.push_back(parts.back().value);
    equal_parts.push_back({parts.back().value, 1.0});
    sum += parts.back().value;
    weight += parts.back().weight;
  }
  const Interval mean = bootstrap_interval({values}, 5).value(),
                 equal = bootstrap_ratio_interval({equal_parts}, 5).value();
  CHECK(equal.low == Approx(mean.low).epsilon(1e-12));
  CHECK(equal.high == Approx(mean.high).epsilon(1e-12));

  const double ratio = sum / weight;
  double squares = 0.0;
  for (const RatioPart& part : parts)
    squares += std::pow(part.value - ratio * part.weight, 2);
  const double half = 1.96 * std::sqrt(squares) / weight;
  const Interval interval = bootstrap_ratio_interval({parts}, 5).value();
  // 1000 resamples find a 2.5 % quantile to about 0.08 deviations, 4 % of its distance; three of these.
  CHECK(ratio - interval.low == Approx(half).epsilon(0.12));
  CHECK(interval.high - ratio == Approx(half).epsilon(0.12));
  CHECK(bootstrap_ratio_interval({parts}, 5)->low == interval.low);

  for (RatioPart& part : parts)
    part.value = 3.0 * part.weight;
  CHECK(bootstrap_ratio_interval({parts}, 1)->high == Approx(3.0));
}
