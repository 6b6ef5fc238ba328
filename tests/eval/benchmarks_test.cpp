// The benchmarks on a tiny model against their definitions, computed from all_logits one sample at a time.
#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "eval/benchmark.h"
#include "eval/predictions.h"
#include "temporary_folder.h"
#include "tiny_model.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

class EvalCase {
 public:
  EvalCase()
      : source_(write_tiny_model(folder_.path())),
        config_(read_config(source_)),
        tokenizer(Tokenizer::load(folder_.path())),
        model(load_llava(source_, config_, at::kFloat, at::kCPU, dense_maker(at::kFloat, at::kCPU))) {
    // Random weights are small: without a louder head every answer would hang on the last digit.
    model.language.head_VD = model.language.head_VD * 30.0;
  }

  EvalContext context() const {
    return {&model, &tokenizer, TemplateKind::vicuna_v1, tiny_transform(), path() / "predictions", 42};
  }
  const fs::path& path() const { return folder_.path(); }

  /// The first `count` held-out conversations of the embedded example, in a file of this case.
  fs::path conversations(size_t count) const {
    json some = json::array();
    const json all = read_json(demo_data("heldout_new.json"));
    for (size_t i = 0; i < count; ++i)
      some.push_back(all.at(i));
    write_json(path() / "conversations.json", some);
    return path() / "conversations.json";
  }

  std::vector<LoadedSample> load(const fs::path& file) const {
    DataOptions options;
    options.kind = "llava";
    options.path = file;
    options.images = demo_data("pictures");
    const auto dataset =
        make_dataset(options, {&tokenizer, TemplateKind::vicuna_v1, config_.vision.features()});
    std::vector<LoadedSample> samples;
    for (int64_t i = 0; i < dataset->size(); ++i) {
      samples.push_back({dataset->at(i), {}});
      for (const auto& picture : samples.back().sample.pictures)
        samples.back().pixels_3SS.push_back(transform_image(read_image(picture), tiny_transform()));
    }
    return samples;
  }

  /// log p of every next token, [T, V] float64, of one sample without padding.
  at::Tensor log_probabilities(const LoadedSample& sample) const {
    at::NoGradGuard no_grad;
    const Batch batch = collate({sample}, config_.vision.features(), config_.pad_token_id);
    return at::log_softmax(all_logits(model, batch)[0].to(at::kDouble), -1);
  }

  /// Sum over the learned tokens and their number.
  std::pair<double, int64_t> nll(const LoadedSample& sample) const {
    const at::Tensor log_p = log_probabilities(sample);
    const Batch batch = collate({sample}, config_.vision.features(), config_.pad_token_id);
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t t = 1; t < batch.labels_BT.size(1); ++t) {
      const int64_t label = batch.labels_BT[0][t].item<int64_t>();
      if (label == kIgnoreLabel) continue;
      sum -= log_p[t - 1][label].item<double>();
      ++count;
    }
    return {sum, count};
  }

  /// The likeliest continuation behind the question, without a cache.
  std::string greedy_answer(LoadedSample sample, int64_t max_new_tokens) const {
    size_t begin = 0;
    while (sample.sample.labels[begin] == kIgnoreLabel)
      ++begin;
    sample.sample.ids.resize(begin);
    std::vector<int64_t> answer;
    for (int64_t i = 0; i < max_new_tokens; ++i) {
      sample.sample.labels.assign(sample.sample.ids.size(), kIgnoreLabel);
      const int64_t token = log_probabilities(sample)[-1].argmax().item<int64_t>();
      if (token == tokenizer.eos_id()) break;
      answer.push_back(token);
      sample.sample.ids.push_back(token);
    }
    const std::string text = tokenizer.decode(answer);
    const size_t first = text.find_first_not_of(' ');
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
  }

 private:
  TemporaryFolder folder_;
  ModelSource source_;
  LlavaConfig config_;

 public:
  Tokenizer tokenizer;
  Llava model;
};

std::vector<json> read_lines(const fs::path& path) {
  std::vector<json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    lines.push_back(json::parse(line));
  return lines;
}

BenchmarkOptions benchmark(const std::string& kind, const fs::path& path) {
  BenchmarkOptions options;
  options.kind = kind;
  options.path = path;
  options.images = demo_data("pictures");
  options.batch_size = 3;  // of unlike lengths: padding must not count
  return options;
}

// Four problems without pictures; right answers A, B, A, B.
BenchmarkOptions scienceqa_problems(const fs::path& folder) {
  json problems, ids = json::array();
  for (int i = 0; i < 4; ++i) {
    const std::string id = std::to_string(10 + i);
    ids.push_back(id);
    problems[id] = {{"question", "Which?"},
                    {"choices", {"x", "y"}},
                    {"answer", i % 2},
                    {"hint", ""},
                    {"image", nullptr},
                    {"task", "closed choice"},
                    {"grade", i < 2 ? "grade3" : "grade8"},
                    {"subject", "natural science"},
                    {"topic", "t"},
                    {"category", "c"},
                    {"skill", "s"},
                    {"lecture", ""},
                    {"solution", ""},
                    {"split", "test"}};
  }
  write_json(folder / "problems.json", problems);
  write_json(folder / "splits.json", {{"test", ids}});
  BenchmarkOptions options;
  options.kind = "scienceqa";
  options.problems = folder / "problems.json";
  options.splits = folder / "splits.json";
  options.predictions = folder / "given.jsonl";
  return options;
}

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  std::ofstream out(path, std::ios::trunc);
  for (const auto& line : lines)
    out << line << "\n";
}

}  // namespace

TEST_CASE("loss: the mean over all learned tokens, and each sample's own") {
  const EvalCase eval;
  const fs::path file = eval.conversations(7);
  const json result = run_benchmark(benchmark("loss", file), eval.context());
  const auto lines = read_lines(eval.path() / "predictions" / "loss.jsonl");
  const auto samples = eval.load(file);
  REQUIRE(lines.size() == 7);
  double sum = 0.0, sample_means = 0.0;
  int64_t tokens = 0;
  for (size_t i = 0; i < 7; ++i) {
    const auto [nll, count] = eval.nll(samples[i]);
    sum += nll;
    tokens += count;
    sample_means += nll / static_cast<double>(count) / 7.0;
    CHECK(lines[i].at("id") == samples[i].sample.id);
    CHECK(lines[i].at("tokens") == count);
    // float32 logits of some ten, summed over two tokens.
    CHECK(lines[i].at("nll").get<double>() == Approx(nll).epsilon(1e-5));
  }
  CHECK(result.at("n") == 7);
  CHECK(result.at("tokens") == tokens);
  CHECK(result.at("loss").get<double>() == Approx(sum / static_cast<double>(tokens)).epsilon(1e-5));
  CHECK(result.at("sample_loss").get<double>() == Approx(sample_means).epsilon(1e-5));

  BenchmarkOptions limited = benchmark("loss", file);
  limited.limit = 2;
  limited.name = "two";
  CHECK(run_benchmark(limited, eval.context()).at("n") == 2);
  CHECK(read_lines(eval.path() / "predictions" / "two.jsonl").size() == 2);
}

TEST_CASE("exact_match: greedy answers, compared without regard to case") {
  const EvalCase eval;
  const fs::path file = eval.conversations(8);
  constexpr int64_t kNewTokens = 3;
  // Every other reference answer becomes what the model says, in capitals.
  json conversations = read_json(file);
  const auto questions = eval.load(file);
  std::vector<std::string> said;
  for (size_t i = 0; i < questions.size(); ++i) {
    said.push_back(eval.greedy_answer(questions[i], kNewTokens));
    std::string capitals = said.back();
    for (char& c : capitals)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (i % 2 == 0 && !capitals.empty()) conversations[i]["conversations"][1]["value"] = capitals;
  }
  write_json(file, conversations);

  BenchmarkOptions options = benchmark("exact_match", file);
  options.max_new_tokens = kNewTokens;
  const json result = run_benchmark(options, eval.context());
  const auto lines = read_lines(eval.path() / "predictions" / "exact_match.jsonl");
  REQUIRE(lines.size() == 8);
  int right = 0;
  for (size_t i = 0; i < 8; ++i) {
    INFO(lines[i].dump());
    CHECK(lines[i].at("id") == questions[i].sample.id);
    CHECK(lines[i].at("text") == said[i]);
    CHECK(lines[i].at("answer") == conversations[i]["conversations"][1]["value"]);
    const bool correct = i % 2 == 0 && !said[i].empty();
    CHECK(lines[i].at("correct") == correct);
    right += correct;
  }
  CHECK(right >= 2);
  CHECK(result.at("accuracy").get<double>() == Approx(100.0 * right / 8));
  CHECK(result.at("n") == 8);
}

TEST_CASE("given predictions are scored without a model") {
  const TemporaryFolder folder;
  const BenchmarkOptions options = scienceqa_problems(folder.path());
  EvalContext context;
  context.predictions = folder.path() / "out";
  // Right, wrong, unreadable; the fourth is missing. A number is an id too, and other ids are left alone.
  write_lines(options.predictions,
              {R"({"id": "10", "text": "A"})", R"({"id": 11, "text": "The answer is A."})", "",
               R"({"id": "12", "text": "who knows"})", R"({"id": "99", "text": "B"})"});
  const json result = run_benchmark(options, context);
  CHECK(result.at("n") == 4);
  CHECK(result.at("accuracy") == 25.0);
  CHECK(result.at("unparsed") == 1);
  CHECK(result.at("missing") == 1);
  CHECK(result.at("G1-6") == 50.0);
  CHECK(result.at("G7-12") == 0.0);
  CHECK(result.at("SOC").is_null());
  const auto lines = read_lines(folder.path() / "out" / "scienceqa.jsonl");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].at("correct") == true);
  CHECK(lines[1].at("parsed") == "A");
  CHECK(lines[1].at("correct") == false);
  CHECK(lines[2].at("parsed").is_null());
}

TEST_CASE("a predictions file with a mistake is refused with its line") {
  const TemporaryFolder folder;
  const BenchmarkOptions options = scienceqa_problems(folder.path());
  EvalContext context;
  context.predictions = folder.path() / "out";
  const std::string sound = R"({"id": "10", "text": "A"})";
  for (const char* bad : {"{", "[]", R"({"id": "11"})", R"({"text": "A"})", R"({"id": "11", "text": 3})",
                          R"({"id": [1], "text": "A"})", R"({"id": "10", "text": "B"})"}) {
    INFO(bad);
    write_lines(options.predictions, {sound, bad});
    CHECK_THROWS_WITH(run_benchmark(options, context),
                      Catch::Contains("given.jsonl") && Catch::Contains("line 2"));
    CHECK_THROWS_AS(run_benchmark(options, context), UserError);
  }
  write_lines(options.predictions, {R"({"id": "77", "text": "A"})"});
  CHECK_THROWS_WITH(run_benchmark(options, context),
                    Catch::Contains("given.jsonl") && Catch::Contains("none"));
  fs::remove(options.predictions);
  CHECK_THROWS_WITH(run_benchmark(options, context), Catch::Contains("given.jsonl"));
}
