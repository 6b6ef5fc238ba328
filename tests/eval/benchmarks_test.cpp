// The benchmarks on a tiny model against their definitions, computed from all_logits one sample at a time.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "eval/measured_on.h"
#include "eval_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

/// The first `count` held-out conversations of the embedded example, in a file of this case.
fs::path write_conversations(const EvalCase& eval, size_t count) {
  json some = json::array();
  const json all = read_json(demo_data("heldout_new.json"));
  for (size_t i = 0; i < count; ++i)
    some.push_back(all.at(i));
  write_json(eval.path() / "conversations.json", some);
  return eval.path() / "conversations.json";
}

std::vector<LoadedSample> load_conversations(const EvalCase& eval, const fs::path& file) {
  DataOptions options;
  options.kind = "llava";
  options.path = file;
  options.images = demo_data("pictures");
  return eval.load(options);
}

// The blocks that `text` is cut into: BOS and the next context - 1 tokens, only whole ones unless there is
// none.
std::vector<LoadedSample> text_windows(const Tokenizer& tokenizer, const std::string& text, size_t context) {
  const std::vector<int64_t> stream = tokenizer.encode(text);
  std::vector<LoadedSample> windows;
  for (size_t begin = 0; begin < stream.size(); begin += context - 1) {
    const bool whole = begin + context - 1 <= stream.size();
    if (!whole && !windows.empty()) break;
    LoadedSample window;
    window.sample.ids = {tokenizer.bos_id()};
    for (size_t i = begin; i < std::min(begin + context - 1, stream.size()); ++i)
      window.sample.ids.push_back(stream[i]);
    window.sample.labels = window.sample.ids;
    windows.push_back(window);
  }
  return windows;
}

BenchmarkOptions benchmark(const std::string& kind, const fs::path& path) {
  BenchmarkOptions options;
  options.kind = kind;
  options.path = path;
  options.images = demo_data("pictures");
  options.batch_size = 3;  // of unlike lengths: padding must not count
  return options;
}

}  // namespace

TEST_CASE("loss: the mean over all learned tokens, and each sample's own") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 7);
  const json result = run_benchmark(benchmark("loss", file), eval.context());
  const auto lines = eval.lines("loss");
  const auto samples = load_conversations(eval, file);
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
  CHECK(result.at("loss_low").get<double>() < result.at("loss").get<double>());
  CHECK(result.at("loss_high").get<double>() > result.at("loss").get<double>());

  BenchmarkOptions limited = benchmark("loss", file);
  limited.limit = 2;
  limited.name = "two";
  CHECK(run_benchmark(limited, eval.context()).at("n") == 2);
  CHECK(eval.lines("two").size() == 2);
  limited.limit = 1;
  limited.name = "one";
  CHECK(run_benchmark(limited, eval.context()).at("loss_low").is_null());

  // Another name draws other resamples, of the same numbers.
  BenchmarkOptions renamed = benchmark("loss", file);
  renamed.name = "again";
  const json again = run_benchmark(renamed, eval.context());
  CHECK(again.at("loss") == result.at("loss"));
  const bool is_other =
      again.at("loss_low") != result.at("loss_low") || again.at("loss_high") != result.at("loss_high");
  CHECK(is_other);
}

TEST_CASE("loss: bad samples are left out, none counts twice") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 7);
  const auto samples = load_conversations(eval, file);
  json conversations = read_json(file);
  // Neighbors, the last one, and one by its picture.
  const std::vector<size_t> good = {0, 3, 5};
  for (const size_t bad : {size_t{1}, size_t{2}, size_t{6}})
    conversations[bad]["conversations"].erase(size_t{1});  // no answer
  write_file_atomic(eval.path() / "broken.png", "no picture");
  conversations[4]["image"] = (eval.path() / "broken.png").string();
  write_json(file, conversations);
  BenchmarkOptions options = benchmark("loss", file);
  options.batch_size = 2;
  CHECK_THROWS_AS(run_benchmark(options, eval.context()), UserError);
  options.on_bad_sample = BadSamplePolicy::skip;
  const json result = run_benchmark(options, eval.context());
  const auto lines = eval.lines("loss");
  REQUIRE(lines.size() == good.size());
  double sum = 0.0, sample_means = 0.0;
  int64_t tokens = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    const auto [nll, count] = eval.nll(samples[good[i]]);
    sum += nll;
    tokens += count;
    sample_means += nll / static_cast<double>(count) / static_cast<double>(good.size());
    CHECK(lines[i].at("id") == samples[good[i]].sample.id);
    CHECK(lines[i].at("nll").get<double>() == Approx(nll).epsilon(1e-5));
  }
  CHECK(result.at("n") == 3);
  CHECK(result.at("skipped") == 4);
  CHECK(result.at("tokens") == tokens);
  CHECK(result.at("loss").get<double>() == Approx(sum / static_cast<double>(tokens)).epsilon(1e-5));
  CHECK(result.at("sample_loss").get<double>() == Approx(sample_means).epsilon(1e-5));

  for (const size_t left : good)
    conversations[left]["image"] = (eval.path() / "broken.png").string();
  write_json(file, conversations);
  CHECK_THROWS_WITH(run_benchmark(options, eval.context()), Catch::Contains("got 7 bad ones"));
}

TEST_CASE("text_perplexity: exp of the mean over the whole windows of a text") {
  const EvalCase eval(1.0);  // the head as it is: a perplexity of the vocabulary's order
  constexpr int64_t kContext = 24;
  const bool is_short = GENERATE(false, true);
  const int64_t limit = GENERATE(0, 2);
  const std::string text =
      is_short ? "What is 15 plus 5?" : read_file(demo_data("text_heldout.txt")).substr(0, 700);
  write_file_atomic(eval.path() / "text.txt", text);
  auto windows = text_windows(eval.tokenizer, text, static_cast<size_t>(kContext));
  REQUIRE(windows.size() ==
          (is_short ? size_t{1} : size_t{9}));  // 222 tokens are 9 windows of 23, the rest is dropped
  if (!is_short && limit > 0) windows.resize(static_cast<size_t>(limit));

  BenchmarkOptions options = benchmark("text_perplexity", eval.path() / "text.txt");
  options.context = kContext;
  options.limit = limit;
  options.batch_size = 4;
  const json result = run_benchmark(options, eval.context());
  const auto lines = eval.lines("text_perplexity");
  REQUIRE(lines.size() == windows.size());
  double sum = 0.0;
  int64_t tokens = 0;
  for (size_t i = 0; i < windows.size(); ++i) {
    const auto [nll, count] = eval.nll(windows[i]);
    sum += nll;
    tokens += count;
    CHECK(lines[i].at("id") == std::to_string(i));
    CHECK(lines[i].at("tokens") == count);
    CHECK(lines[i].at("nll").get<double>() == Approx(nll).epsilon(1e-5));  // float32 logits of some units
  }
  if (!is_short) CHECK(tokens == (kContext - 1) * static_cast<int64_t>(windows.size()));
  const double loss = sum / static_cast<double>(tokens);
  CHECK(result.at("tokens") == tokens);
  CHECK(result.at("context") == kContext);
  CHECK(result.at("loss").get<double>() == Approx(loss).epsilon(1e-5));
  CHECK(result.at("perplexity").get<double>() == Approx(std::exp(loss)).epsilon(1e-4));  // a loss of some 7
}

TEST_CASE("exact_match: greedy answers, compared without regard to case") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 8);
  constexpr int64_t kNewTokens = 3;
  // Every other reference answer becomes what the model says, in capitals.
  json conversations = read_json(file);
  const auto questions = load_conversations(eval, file);
  std::vector<std::string> said;
  for (size_t i = 0; i < questions.size(); ++i) {
    said.push_back(eval.greedy_answer(prompt_of(questions[i]), kNewTokens));
    std::string capitals = said.back();
    for (char& c : capitals)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (i % 2 == 0 && !capitals.empty()) conversations[i]["conversations"][1]["value"] = capitals;
  }
  write_json(file, conversations);

  BenchmarkOptions options = benchmark("exact_match", file);
  options.max_new_tokens = kNewTokens;
  const json result = run_benchmark(options, eval.context());
  const auto lines = eval.lines("exact_match");
  REQUIRE(lines.size() == 8);
  int right = 0;
  for (size_t i = 0; i < 8; ++i) {
    INFO(lines[i].dump());
    CHECK(lines[i].at("id") == questions[i].sample.id);
    CHECK(lines[i].at("text") == said[i]);
    const std::string asked = conversations[i]["conversations"][0]["value"];
    CHECK(lines[i].at("question") == asked);
    CHECK(lines[i].at("prompt") == vicuna_prompt(asked));
    CHECK(lines[i].at("answer") == conversations[i]["conversations"][1]["value"]);
    const bool correct = i % 2 == 0 && !said[i].empty();
    CHECK(lines[i].at("correct") == correct);
    right += correct;
  }
  CHECK(right >= 2);
  CHECK(result.at("accuracy").get<double>() == Approx(100.0 * right / 8));
  CHECK(result.at("accuracy_low").get<double>() < result.at("accuracy").get<double>());
  CHECK(result.at("accuracy_high").get<double>() > result.at("accuracy").get<double>());
  CHECK(result.at("n") == 8);
}

TEST_CASE("exact_match: blank answers and doubled ids are bad samples") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 4);
  json conversations = read_json(file);
  BenchmarkOptions options = benchmark("exact_match", file);
  options.max_new_tokens = 1;
  std::string message;
  SECTION("spaces as an answer") {
    conversations[2]["conversations"][1]["value"] = " \n\u3000";
    message = "expected an answer to compare with, got a blank one";
  }
  SECTION("no answer") {
    conversations[2]["conversations"][1]["value"] = "";
    message = "expected at least one token to learn";
  }
  SECTION("an id that an earlier sample has") {
    conversations[2]["id"] = conversations[0]["id"];
    message = "expected an id of its own, got that of sample 0";
  }
  SECTION("a number in the place of an id that is missing, as another's id") {
    conversations[1]["id"] = 2;
    conversations[2].erase("id");
    message = "(id 2)] expected an id of its own, got that of sample 1";
  }
  write_json(file, conversations);
  CHECK_THROWS_WITH(run_benchmark(options, eval.context()),
                    Catch::Contains("conversations.json, sample 2 (id") && Catch::Contains(message));
  CHECK_THROWS_AS(run_benchmark(options, eval.context()), UserError);
  options.on_bad_sample = BadSamplePolicy::skip;
  const json result = run_benchmark(options, eval.context());
  CHECK(result.at("n") == 3);
  CHECK(result.at("skipped") == 1);
  CHECK(eval.lines("exact_match").size() == 3);
}

TEST_CASE("exact_match: a picture of a later question is not shown") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 1);
  json conversations = read_json(file);
  json& turns = conversations[0]["conversations"];
  const json earlier =
      json::array({{{"from", "human"}, {"value", "Say 4."}}, {{"from", "gpt"}, {"value", "4"}}});
  turns.insert(turns.begin(), earlier.begin(), earlier.end());
  write_json(file, conversations);
  BenchmarkOptions options = benchmark("exact_match", file);
  options.max_new_tokens = 1;
  CHECK(run_benchmark(options, eval.context()).at("n") == 1);
  CHECK(eval.lines("exact_match").at(0).at("answer") == "4");
  CHECK_FALSE(eval.lines("exact_match").at(0).contains("picture"));
}

TEST_CASE("exact_match: the prompt of a sample with several pictures is the text that was encoded") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 2);
  json conversations = read_json(file);
  // One picture per question, the first behind its question: with one picture in all it would be moved.
  json& turns = conversations[0]["conversations"];
  turns = json::array({{{"from", "human"}, {"value", "Which digit?\n<image>"}},
                       {{"from", "gpt"}, {"value", "4"}},
                       {{"from", "human"}, {"value", "And <image> this?"}},
                       {{"from", "gpt"}, {"value", "5"}}});
  conversations[0]["image"] = json::array({conversations[0]["image"], conversations[1]["image"]});
  write_json(file, conversations);
  const LoadedSample given = prompt_of(load_conversations(eval, file).at(0));
  REQUIRE(std::count(given.sample.ids.begin(), given.sample.ids.end(), kImagePlaceholder) == 1);
  BenchmarkOptions options = benchmark("exact_match", file);
  options.max_new_tokens = 1;
  options.limit = 1;
  CHECK(run_benchmark(options, eval.context()).at("n") == 1);
  const std::string prompt = eval.lines("exact_match").at(0).at("prompt");
  CHECK(prompt == vicuna_prompt("Which digit?\n<image>"));
  // Encoded again as LLaVA's tokenizer_image_token does it.
  const size_t picture = prompt.find("<image>");
  REQUIRE(picture != std::string::npos);
  std::vector<int64_t> ids = {eval.tokenizer.bos_id()};
  for (const int64_t id : eval.tokenizer.encode(prompt.substr(0, picture)))
    ids.push_back(id);
  ids.push_back(kImagePlaceholder);
  for (const int64_t id : eval.tokenizer.encode(prompt.substr(picture + std::string("<image>").size())))
    ids.push_back(id);
  CHECK(ids == given.sample.ids);
}

TEST_CASE("loss: doubled ids and answers of spaces are measured") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 3);
  json conversations = read_json(file);
  conversations[1]["id"] = conversations[0]["id"];
  conversations[2]["conversations"][1]["value"] = "  ";  // spaces and the end are learned
  write_json(file, conversations);
  CHECK(run_benchmark(benchmark("loss", file), eval.context()).at("n") == 3);
}

TEST_CASE("a model whose logits are not finite is no model that is always wrong") {
  EvalCase eval;
  at::Tensor& norm_D = eval.model.language.blocks[1].post_norm_D;
  norm_D = at::full_like(norm_D, NAN);
  const fs::path file = write_conversations(eval, 2);
  const std::string first = load_conversations(eval, file)[0].sample.id;
  const auto throws_names = [&](const BenchmarkOptions& options) {
    CHECK_THROWS_WITH(run_benchmark(options, eval.context()),
                      Catch::Contains("[model] expected finite") && Catch::Contains("decoder block 1") &&
                          Catch::Contains("of sample " + first + ","));
  };
  for (const char* kind : {"exact_match", "loss"}) {
    INFO(kind);
    BenchmarkOptions options = benchmark(kind, file);
    options.on_bad_sample = BadSamplePolicy::skip;  // the samples are sound
    throws_names(options);
    CHECK_THROWS_AS(run_benchmark(options, eval.context()), UserError);
  }
  BenchmarkOptions speed = benchmark("speed", "");
  speed.prompt_tokens = 3;
  speed.new_tokens = 2;
  CHECK_THROWS_WITH(run_benchmark(speed, eval.context()), Catch::Contains("expected finite logits"));
}

TEST_CASE("results say only those options that their kind uses") {
  using Keys = std::set<std::string>;
  const auto keys = [](const BenchmarkOptions& options) {
    Keys found;
    const json measured = measured_on(options, EvalContext{});
    for (const auto& [key, value] : measured.items())
      found.insert(key);
    return found;
  };
  CHECK(keys(benchmark("speed", "")) == Keys{"prompt_tokens", "new_tokens"});
  CHECK(keys(benchmark("text_perplexity", "")) ==
        Keys{"data", "limit", "context", "join", "windows", "stride"});
  CHECK(keys(benchmark("loss", "")) == Keys{"data", "limit", "context", "template"});
  CHECK(keys(benchmark("exact_match", "")) ==
        Keys{"data", "limit", "context", "template", "max_new_tokens", "temperature"});
  BenchmarkOptions scienceqa = benchmark("scienceqa", "");
  Keys asked = {"data",          "limit",         "split",          "template",
                "prompt_format", "prompt_suffix", "max_new_tokens", "temperature"};
  CHECK(keys(scienceqa) == asked);
  scienceqa.temperature = 0.5;
  asked.insert("top_p");
  CHECK(keys(scienceqa) == asked);
  scienceqa.predictions = "answers.jsonl";
  CHECK(keys(scienceqa) == Keys{"data", "limit", "split"});
}

TEST_CASE("results say what they were measured on: the data's content, and options") {
  const EvalCase eval;
  const fs::path file = write_conversations(eval, 2), copy = eval.path() / "copy.json";
  const auto measured = [&](const BenchmarkOptions& options) {
    return run_benchmark(options, eval.context()).at("measured_on");
  };
  fs::copy_file(file, copy);
  const json first = measured(benchmark("loss", file));
  CHECK(first.at("limit") == 0);
  CHECK(first.at("template") == "vicuna_v1");
  CHECK(measured(benchmark("loss", copy)) == first);
  BenchmarkOptions limited = benchmark("loss", file);
  limited.limit = 1;
  CHECK(measured(limited).at("limit") == 1);
  write_conversations(eval, 1);
  CHECK(measured(benchmark("loss", file)).at("data") != first.at("data"));
}
