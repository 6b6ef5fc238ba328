// The question benchmarks from their files to metrics, predictions and the server's file, on a tiny model
// whose greedy answers are known from full forward passes.
#include "core/error.h"
#include "eval/batch_store.h"
#include "eval/question_prompt.h"
#include "eval/server_files.h"
#include "eval_case.h"
#include "project_python.h"
#include "question_files_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

std::string greedy(const EvalCase& eval, const BenchmarkQuestion& question, int64_t new_tokens) {
  return eval.greedy_answer(
      load_question(question, eval.tokenizer, TemplateKind::vicuna_v1, tiny_transform()), new_tokens);
}

}  // namespace

TEST_CASE("every question benchmark: the model's greedy answers, their score and the server's file") {
  const EvalCase eval;
  for (const BenchmarkOptions& options : question_cases(eval.path() / "data")) {
    INFO(options.kind);
    const auto questions = read_benchmark_questions(options);
    const json result = run_benchmark(options, eval.context());
    const auto lines = eval.lines(options.kind);
    REQUIRE(lines.size() == questions.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      INFO(lines[i].dump());
      const std::string said = greedy(eval, questions[i], options.max_new_tokens);
      const Judgment judgment = question_kind(options.kind).judge(questions[i], said);
      CHECK(lines[i].at("id") == questions[i].id);
      CHECK(lines[i].at("text") == said);
      CHECK(lines[i].at("score") == judgment.score);
      CHECK(lines[i].at("prompt") == vicuna_prompt("<image>\n" + questions[i].text));
      CHECK(lines[i].contains("picture") == (options.kind != "mmbench"));
    }
    CHECK(result.at("n") == questions.size());
    CHECK(result.at("missing") == 0);
    const std::string submission = server_file_name(options);
    CHECK(submission.empty() ==
          (options.kind == "textvqa" || options.kind == "pope" || options.kind == "mme"));
    if (!submission.empty()) CHECK(fs::file_size(eval.path() / submission) > 0);
  }
}

TEST_CASE("results say which split was asked, and whether TextVQA's prompts hold OCR tokens") {
  const EvalCase eval;
  const auto measured = [&](const BenchmarkOptions& options) {
    return run_benchmark(options, eval.context()).at("measured_on");
  };
  BenchmarkOptions textvqa = textvqa_case(eval.path() / "textvqa");
  json said = measured(textvqa);
  CHECK(said.at("split") == "val");
  CHECK(said.at("ocr_tokens") == false);
  textvqa.annotations = textvqa.path;
  textvqa.path = eval.path() / "llava.jsonl";
  write_text(textvqa.path,
             json_lines({{{"question_id", "0000"},
                          {"image", "0000.jpg"},
                          {"text", "What brand is it?\nReference OCR token: KODAK" + kPhrase}}}));
  said = measured(textvqa);
  CHECK(said.at("split") == "val");
  CHECK(said.at("ocr_tokens") == true);
  CHECK(measured(vqav2_case(eval.path() / "vqav2")).at("split") == "val2014");
  said = measured(mmbench_case(eval.path() / "mmbench"));
  CHECK(said.at("split") == "dev");
  CHECK_FALSE(said.contains("ocr_tokens"));
  const BenchmarkOptions vizwiz = vizwiz_case(eval.path() / "vizwiz");
  CHECK_FALSE(measured(vizwiz).contains("split"));  // by the pictures' names
  json root = read_json(vizwiz.path);
  root.erase(size_t{1});
  root[0]["image"] = "VizWiz_val_00000000.png";
  write_value(vizwiz.path, root);
  CHECK(read_benchmark_questions(vizwiz).at(0).split == "val");
}

TEST_CASE("given answers to questions are scored without a model") {
  const TemporaryFolder folder;
  EvalContext context;
  context.predictions = folder.path() / "eval" / "predictions";
  BenchmarkOptions options = vqav2_case(folder.path());
  options.predictions = folder.path() / "given.jsonl";
  write_text(options.predictions, json_lines({{{"id", 42000}, {"text", "Yes."}}}));
  json result = run_benchmark(options, context);
  CHECK(result.at("accuracy") == 50.0);
  CHECK(result.at("yes/no") == 100.0);
  CHECK(result.at("number") == 0.0);
  CHECK(result.at("missing") == 1);
  CHECK(read_json(folder.path() / "eval" / "submissions" / "vqav2.json") ==
        json::parse(R"([{"question_id": 42000, "answer": "yes"}, {"question_id": 42001, "answer": ""}])"));
  const auto lines = read_lines(context.predictions / "vqav2.jsonl");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("correct") == true);
  CHECK(lines[0].at("parsed") == "yes");
  CHECK(lines[1].at("parsed").is_null());
  CHECK_FALSE(lines[0].contains("prompt"));

  options.annotations = "";
  result = run_benchmark(options, context);
  CHECK(result.at("accuracy").is_null());
  CHECK(read_lines(context.predictions / "vqav2.jsonl").at(0).at("correct").is_null());
  write_text(options.predictions, json_lines({{{"id", 7}, {"text", "Yes."}}}));
  CHECK_THROWS_WITH(run_benchmark(options, context),
                    Catch::Contains("expected answers to the benchmark's questions (id 42000 and others)") &&
                        Catch::Contains("got none of them, but id 7 (") && Catch::Contains("given.jsonl"));
}

TEST_CASE("pictures that are missing or no picture are bad samples") {
  const EvalCase eval;
  BenchmarkOptions gqa = gqa_case(eval.path() / "gqa");
  fs::remove(eval.path() / "gqa" / "images" / "n0.jpg");
  const std::string place = "[" + gqa.path.string() + ", question ";
  CHECK_THROWS_WITH(run_benchmark(gqa, eval.context()),
                    Catch::StartsWith(place) && Catch::Contains("n0.jpg: No such file"));
  write_text(eval.path() / "gqa" / "images" / "n0.jpg", "no picture");
  CHECK_THROWS_WITH(run_benchmark(gqa, eval.context()), Catch::StartsWith(place) &&
                                                            Catch::Contains("none of their signatures") &&
                                                            Catch::Contains("n0.jpg"));
  BenchmarkOptions mmbench = mmbench_case(eval.path() / "mmbench");
  std::string text = file_text(mmbench.path);
  text.replace(text.find("physics\t") + 8, 4, "!bad");
  write_text(mmbench.path, text);
  CHECK_THROWS_WITH(run_benchmark(mmbench, eval.context()),
                    Catch::Contains("dev.tsv, question 241") && Catch::Contains("base64"));
  mmbench.on_bad_sample = BadSamplePolicy::skip;
  const json result = run_benchmark(mmbench, eval.context());
  CHECK(result.at("n") == 3);
  CHECK(result.at("missing") == 2);  // and the row that refers to it
}

TEST_CASE("an unfinished run's answers are not asked for again") {
  const EvalCase eval;
  EvalContext context = eval.context();
  context.answers = eval.path() / "unfinished";
  const BenchmarkOptions options = seed_bench_case(eval.path() / "data");
  const json whole = run_benchmark(options, context);
  const auto lines = eval.lines("seed_bench");
  // As a kill leaves it while the second batch is written: the first batch, and half a line.
  const fs::path kept = context.answers / "seed_bench.jsonl";
  BenchmarkOptions one_by_one = options;
  one_by_one.batch_size = 1;
  fs::remove(kept);
  run_benchmark(one_by_one, context);
  std::string text = file_text(kept);
  const size_t first = text.find('\n') + 1;
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  write_text(kept, R"({"begin":0,"answers":[[0,"kept"]]})"
                   "\n" +
                       text.substr(first, 9));
  CHECK(run_benchmark(one_by_one, context).at("n") == 2);
  CHECK(eval.lines("seed_bench").at(0).at("text") == "kept");
  CHECK(eval.lines("seed_bench").at(1).at("text") == lines.at(1).at("text"));
  CHECK(file_text(kept).substr(file_text(kept).find('\n') + 1) == text.substr(first));
  CHECK(whole.at("n") == 2);
  for (const char* line :
       {"[]", R"({"begin":0})", R"({"answers":[],"begin":"0"})", R"({"answers":[[0,1]],"begin":0})"}) {
    write_text(kept, line + std::string("\n"));
    CHECK_THROWS_WITH(run_benchmark(one_by_one, context), Catch::StartsWith("[resume] ") &&
                                                              Catch::Contains(line) &&
                                                              Catch::Contains(kept.string()));
  }
}

TEST_CASE("MMBench's server file is a workbook that other programs read") {
  const EvalCase eval;
  const BenchmarkOptions options = mmbench_case(eval.path() / "data");
  run_benchmark(options, eval.context());
  const auto lines = eval.lines("mmbench");
  const fs::path file = eval.path() / server_file_name(options);
  const fs::path script = eval.path() / "read.py", read = eval.path() / "rows.json";
  write_text(script,
             "import json, sys, zipfile, openpyxl\n"
             "assert zipfile.ZipFile(sys.argv[1]).testzip() is None\n"
             "book = openpyxl.load_workbook(sys.argv[1])\n"
             "assert book.sheetnames == ['Sheet1']\n"
             "rows = [list(row) for row in book.active.values]\n"
             "for row in rows: row[6] = row[6] if row[6] is None else str(row[6])  # digits are a number\n"
             "json.dump(rows, open(sys.argv[2], 'w'))\n");
  if (!run_python({script.string(), file.string(), read.string()})) return;
  const json rows = read_json(read);
  REQUIRE(rows.size() == 4);
  // LLaVA's convert_mmbench_for_submission.py keeps these columns of the file.
  CHECK(rows[0] ==
        json::parse(R"(["index", "question", "A", "B", "C", "D", "prediction", "answer", "split"])"));
  const auto said = [&](size_t i) {
    const json& text = lines[i].at("text");
    return text == "" ? json() : text;
  };
  CHECK(rows[1] == json({241, "Which one?", "cat", "dog", nullptr, nullptr, said(0), "A", "dev"}));
  CHECK(rows[2] == json({1000241, "Which one?", "dog", "cat", nullptr, nullptr, said(1), "B", "dev"}));
  CHECK(rows[3] == json({252, "Say \"so\"\n or not", "red", "blue", "green", "gray", said(2), "C", "dev"}));
}

TEST_CASE("a workbook holds all of a text but what XML cannot") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "book.xlsx", script = folder.path() / "read.py";
  write_text(file, excel_file({{"a\x01"
                                "b<&>",
                                "c\xef\xbf\xbe"
                                "d\xef\xbf\xbf",
                                "\xef\xbf\xbd", " e\n\tf ", "\xc3\xa9\xf0\x9f\x98\x80"}}));
  write_text(script,
             "import sys, openpyxl\n"
             "rows = list(openpyxl.load_workbook(sys.argv[1]).active.values)\n"
             "assert rows == [('ab<&>', 'cd', '\\ufffd', ' e\\n\\tf ', '\\u00e9\\U0001f600')], rows\n");
  run_python({script.string(), file.string()});
}
