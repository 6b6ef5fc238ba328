// ScienceQA: with a model against greedy answers from full forward passes, and from given predictions.
#include <set>

#include "core/error.h"
#include "eval_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

struct Question {
  std::string text, hint, picture;
  int grade;
  std::string subject;
};

// Of unlike lengths, with and without pictures and hints; two choices each.
const std::vector<Question>& questions() {
  static const std::vector<Question> all = {
      {"What digit is this?", "", "0000.png", 1, "natural science"},
      {"Which word comes first in a dictionary?", "Words are sorted by letters.", "", 7, "language science"},
      {"Is the digit larger than 7?", "", "0001.png", 12, "natural science"},
      {"Which?", "", "", 6, "natural science"},
      {"What is the digit plus 5?", "The picture shows a digit.", "0002.png", 3, "social science"},
      {"Which sum is larger, the first one or the second one?", "", "", 10, "social science"},
      {"Is the digit even or odd?", "", "0003.png", 2, "language science"}};
  return all;
}

// LLaVA's QCM form (scripts/convert_sqa_to_llava_base_prompt.py).
std::string question_text(const Question& question) {
  return question.text + "\nContext: " + (question.hint.empty() ? "N/A" : question.hint) +
         "\nOptions: (A) x (B) y";
}

// problems.json and splits.json of the first questions, with these right answers; the split lists them
// backward.
BenchmarkOptions scienceqa_benchmark(const fs::path& folder, const std::vector<int64_t>& answers) {
  json problems, ids = json::array();
  for (size_t i = answers.size(); i-- > 0;) {
    const Question& question = questions()[i];
    const std::string id = std::to_string(10 + i);
    ids.push_back(id);
    problems[id] = {{"question", question.text},  {"choices", {"x", "y"}},
                    {"answer", answers[i]},       {"hint", question.hint},
                    {"image", question.picture},  {"grade", concat("grade", question.grade)},
                    {"subject", question.subject}};
  }
  write_json(folder / "problems.json", problems);
  write_json(folder / "splits.json", {{"test", ids}});
  BenchmarkOptions options;
  options.kind = "scienceqa";
  options.problems = folder / "problems.json";
  options.splits = folder / "splits.json";
  options.images = demo_data("pictures");
  options.batch_size = 3;  // of unlike lengths: padding must not count
  return options;
}

// Prompts in the order of questions(): training's encoding up to the answer.
std::vector<LoadedSample> load_prompts(const EvalCase& eval, const BenchmarkOptions& benchmark) {
  DataOptions options;
  options.kind = "scienceqa";
  options.problems = benchmark.problems;
  options.splits = benchmark.splits;
  options.split = "test";
  options.images = benchmark.images;
  std::vector<LoadedSample> prompts;
  for (const LoadedSample& sample : eval.load(options))
    prompts.insert(prompts.begin(), prompt_of(sample));
  return prompts;
}

int64_t only_token(const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<int64_t> ids = tokenizer.encode(text);
  REQUIRE(ids.size() == 1);
  return ids[0];
}

// A head that says "A" or "B" by the sign of a direction in which the prompts' last hidden states lie on both
// sides of 0: a random one at right angles to their mean.
void let_answer_letters(EvalCase& eval, const std::vector<LoadedSample>& prompts) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> states;
  for (const LoadedSample& prompt : prompts) {
    const at::Tensor x = embed_batch(eval.model, eval.alone(prompt));
    states.push_back(llama_hidden(eval.model.language, x, Checkpointing::none)[0][-1]);
  }
  const at::Tensor mean = at::stack(states).mean(0);
  at::manual_seed(8);
  const at::Tensor drawn = at::randn_like(mean);
  const at::Tensor direction = drawn - mean * (drawn.dot(mean) / mean.dot(mean));
  const at::Tensor head = at::zeros_like(eval.model.language.head_VD);
  head[only_token(eval.tokenizer, "A")].copy_(direction);
  head[only_token(eval.tokenizer, "B")].copy_(-direction);
  eval.model.language.head_VD = head;
}

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  std::ofstream out(path, std::ios::trunc);
  for (const auto& line : lines)
    out << line << "\n";
}

}  // namespace

TEST_CASE("scienceqa: the model's greedy answers and their score") {
  EvalCase eval;
  const int64_t new_tokens = GENERATE(1, 3);
  const size_t count = questions().size();
  const std::vector<int64_t> unknown(count, 0);
  const auto prompts = load_prompts(eval, scienceqa_benchmark(eval.path(), unknown));
  let_answer_letters(eval, prompts);
  std::vector<std::string> said;
  std::vector<int64_t> answers;
  for (size_t i = 0; i < count; ++i) {
    said.push_back(eval.greedy_answer(prompts[i], new_tokens));
    REQUIRE(!said[i].empty());
    answers.push_back((said[i][0] == 'A') == (i % 2 == 0) ? 0 : 1);  // every other one is what it says
  }
  CHECK(std::set<std::string>(said.begin(), said.end()).size() > 1);

  BenchmarkOptions options = scienceqa_benchmark(eval.path(), answers);
  options.max_new_tokens = new_tokens;
  const json result = run_benchmark(options, eval.context());
  const auto lines = eval.lines("scienceqa");
  REQUIRE(lines.size() == count);
  for (size_t i = 0; i < count; ++i) {
    const json& line = lines[count - 1 - i];
    INFO(line.dump());
    const bool is_letter = said[i].size() == 1;  // "A B A" is no answer
    CHECK(line.at("id") == prompts[i].sample.id);
    CHECK(line.at("text") == said[i]);
    CHECK(line.at("parsed") == (is_letter ? json(said[i]) : json()));
    CHECK(line.at("answer") == (answers[i] == 0 ? "A" : "B"));
    CHECK(line.at("correct") == (is_letter && i % 2 == 0));
    const bool has_picture = !questions()[i].picture.empty();
    CHECK(line.contains("picture") == has_picture);
    CHECK(line.at("question") == question_text(questions()[i]) + (has_picture ? "\n<image>" : ""));
    CHECK(line.at("prompt") ==
          vicuna_prompt((has_picture ? "<image>\n" : "") + question_text(questions()[i])));
  }
  CHECK(result.at("n") == count);
  CHECK(result.at("missing") == 0);
  CHECK(result.at("unparsed") == (new_tokens == 1 ? size_t{0} : count));
  CHECK(result.at("accuracy").get<double>() == Approx(new_tokens == 1 ? 100.0 * 4 / 7 : 0.0));
  CHECK(result.at("IMG").get<double>() == Approx(new_tokens == 1 ? 100.0 : 0.0));  // 0, 2, 4 and 6
}

TEST_CASE("scienceqa: a problem whose own text holds <image> is a bad sample") {
  const EvalCase eval;
  BenchmarkOptions options = scienceqa_benchmark(eval.path(), {0, 0, 0});
  options.max_new_tokens = 1;
  json problems = read_json(options.problems);
  problems["11"]["hint"] = "Look at <image>.";  // without a picture
  write_json(options.problems, problems);
  CHECK_THROWS_WITH(run_benchmark(options, eval.context()),
                    Catch::Contains("problem 11]") && Catch::Contains("1 \"<image>\" and 0 picture(s)"));
  options.on_bad_sample = BadSamplePolicy::skip;
  CHECK(run_benchmark(options, eval.context()).at("missing") == 1);
}

TEST_CASE("given predictions are scored without a model") {
  const TemporaryFolder folder;
  BenchmarkOptions options = scienceqa_benchmark(folder.path(), {0, 1, 0, 1});
  options.predictions = folder.path() / "given.jsonl";
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
  CHECK(lines[3].at("correct") == true);  // the split's last
  CHECK(lines[3].at("question") == question_text(questions()[0]) + "\n<image>");
  CHECK_FALSE(lines[3].contains("prompt"));  // what these answers were given to is not known
  CHECK(lines[2].at("parsed") == "A");
  CHECK(lines[2].at("correct") == false);
  CHECK(lines[1].at("parsed").is_null());
}

TEST_CASE("a predictions file with a mistake is refused with its line") {
  const TemporaryFolder folder;
  BenchmarkOptions options = scienceqa_benchmark(folder.path(), {0, 1, 0, 1});
  options.predictions = folder.path() / "given.jsonl";
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
  write_lines(options.predictions, {sound, "", R"({"id": "11", "text": "A"})", R"({"id": 10, "text": "A"})"});
  CHECK_THROWS_WITH(run_benchmark(options, context), Catch::Contains("got 10 in line 1 and line 4"));
  write_lines(options.predictions, {R"({"id": "77", "text": "A"})"});
  CHECK_THROWS_WITH(run_benchmark(options, context), Catch::Contains("questions (id 1") &&
                                                         Catch::Contains("got none of them, but id 77 (") &&
                                                         Catch::Contains("given.jsonl"));
  write_lines(options.predictions, {""});
  CHECK_THROWS_WITH(run_benchmark(options, context), Catch::Contains(" and others), got none ("));
  fs::remove(options.predictions);
  CHECK_THROWS_WITH(run_benchmark(options, context), Catch::Contains("given.jsonl"));
}
