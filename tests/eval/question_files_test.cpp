// Readers of the published question files; of those with a mistake: question_mistakes_test.cpp.
#include "eval/question_files.h"
#include "core/error.h"
#include "eval/answer_text.h"
#include "eval/base64.h"
#include "eval/server_files.h"
#include "eval/tab_separated.h"
#include "question_files_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// LLaVA's question files.
fs::path llava_file(const fs::path& folder, const std::vector<json>& lines) {
  write_text(folder / "llava_questions.jsonl", json_lines(lines));
  return folder / "llava_questions.jsonl";
}

json llava_line(const json& id, const std::string& image, const std::string& text,
                const std::string& category = "default") {
  return {{"question_id", id}, {"image", image}, {"text", text}, {"category", category}};
}

}  // namespace

TEST_CASE("textvqa: its own file, and LLaVA's prompts with OCR tokens") {
  const TemporaryFolder folder;
  BenchmarkOptions options = textvqa_case(folder.path());
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 3);
  CHECK(questions[0].id == "34602");
  CHECK(questions[0].text == "What brand is it?" + kPhrase);
  CHECK(questions[0].picture == folder.path() / "images" / "0000.jpg");
  CHECK(questions[0].answers == std::vector<std::string>(10, "kodak"));

  options.annotations = options.path;
  const std::string with_tokens = "what brand is it?\nReference OCR token: KODAK, 12" + kPhrase;
  options.path = llava_file(folder.path(),
                            {llava_line("0000", "0000.jpg", with_tokens),
                             llava_line("0001", "0001.jpg", "Reference OCR token: \nWhat year?" + kPhrase)});
  questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].id == "34602");
  CHECK(questions[0].text == with_tokens);
  CHECK(questions[1].id == "34604");
  options.limit = 1;
  CHECK(read_benchmark_questions(options).size() == 1);
  options.path = llava_file(folder.path(), {llava_line("0001", "0001.jpg", "what brand is it?" + kPhrase)});
  require_refused(options, {"line 1", "0001", "val.json"});
}

// LLaVA's eval_textvqa.py keeps the annotations in a dict by picture and question in lower case.
TEST_CASE("textvqa: of a question asked twice of one picture LLaVA's file takes the last annotation") {
  const TemporaryFolder folder;
  BenchmarkOptions options = textvqa_case(folder.path());
  json root = read_json(options.path);
  root["data"][1]["question"] = "WHAT brand is it?";
  root["data"][1]["answers"] = std::vector<std::string>(10, "leica");
  write_value(options.path, root);
  CHECK(read_benchmark_questions(options)[0].answers[0] == "kodak");
  options.annotations = options.path;
  const json line = llava_line("0000", "0000.jpg", "what brand is it?" + kPhrase);
  options.path = llava_file(folder.path(), {line, line});
  const auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 2);
  for (const BenchmarkQuestion& question : questions)
    CHECK(question.answers == std::vector<std::string>(10, "leica"));
  CHECK(questions[0].id == "34602");
  CHECK(questions[1].id == "34603");
  options.path = llava_file(folder.path(), {line, line, line});
  require_refused(options, {"line 3", "0000", "val.json"});
}

TEST_CASE("vqav2: questions, annotations, LLaVA's file and the server's questions") {
  const TemporaryFolder folder;
  BenchmarkOptions options = vqav2_case(folder.path());
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].id == "42000");
  CHECK(questions[0].text == "Is it red?" + kPhrase);
  CHECK(questions[0].picture.filename() == "COCO_val2014_000000000042.jpg");
  CHECK(questions[0].answers == std::vector<std::string>(10, "yes"));
  CHECK(questions[0].groups == std::vector<std::string>{"yes/no"});

  replace_in(options.annotations, "val2014", "train2014");
  require_refused(options, {"val2014", "train2014", "annotations.json"});
  options.annotations = "";
  replace_in(options.path, "val2014", "test-dev2015");
  questions = read_benchmark_questions(options);
  CHECK(questions[0].answers.empty());
  CHECK(questions[0].picture.filename() == "COCO_test2015_000000000042.jpg");

  options.path = llava_file(folder.path(), {llava_line(7, "a.jpg", "Is it red?" + kPhrase)});
  questions = read_benchmark_questions(options);
  CHECK(questions[0].id == "7");
  CHECK(questions[0].text == "Is it red?" + kPhrase);
  options.server_questions = folder.path() / "questions.json";
  const JudgedQuestion judged{&questions[0], "Two dogs.", {"2 dogs", 0.0, true}, false};
  CHECK(json::parse(vqav2_server_file({judged}, options)) ==
        json::parse(R"([{"question_id": 42000, "answer": ""}, {"question_id": 42001, "answer": ""}])"));
  options.server_questions = "";
  CHECK(json::parse(vqav2_server_file({judged}, options)) ==
        json::parse(R"([{"question_id": 7, "answer": "2 dogs"}])"));
}

TEST_CASE("a list is read entry by entry, and nothing else of its file is lost") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "list.json";
  const json root = json::parse(R"({"a": [1, {"list": [2]}], "b": {"list": [3, 4], "x": [[5]]},
                                    "list": [{"list": [6]}, [7, [8]], 9, "list", null, {}], "z": {"y": [10]}})");
  write_value(file, root);
  std::vector<json> seen;
  json rest = read_json_list(file, "list", [&](const json& entry) { seen.push_back(entry); });
  CHECK(seen == root.at("list").get<std::vector<json>>());
  CHECK(rest.at("list") == json::array());
  rest["list"] = root.at("list");
  CHECK(rest == root);
  const auto refuse = [](const json&) { FAIL("expected no entry"); };
  for (const char* text : {R"({"list": {"a": [1]}})", R"([[1, [2]], {"list": [3]}])", R"({"lists": [1]})"}) {
    INFO(text);
    write_text(file, text);
    CHECK(read_json_list(file, "list", refuse) == json::parse(text));
  }
  write_text(file, R"({"list": [1, 2)");
  CHECK_THROWS_WITH(read_json_list(file, "list", [](const json&) {}),
                    Catch::Contains("list.json") && Catch::Contains("ends too early"));
}

TEST_CASE("gqa, vizwiz: published files and LLaVA's with them as annotations") {
  const TemporaryFolder folder;
  BenchmarkOptions gqa = gqa_case(folder.path() / "gqa");
  auto questions = read_benchmark_questions(gqa);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].groups == std::vector<std::string>{"open"});
  CHECK(questions[1].groups == std::vector<std::string>{"binary"});
  CHECK(questions[1].text == "Is it red?" + kPhrase);
  CHECK(questions[1].picture.filename() == "n0.jpg");
  gqa.annotations = gqa.path;
  gqa.path = llava_file(folder.path(), {llava_line("202", "n0.jpg", "Is it red?" + kPhrase)});
  questions = read_benchmark_questions(gqa);
  REQUIRE(questions.size() == 1);
  CHECK(questions[0].answers == std::vector<std::string>{"yes"});

  BenchmarkOptions vizwiz = vizwiz_case(folder.path() / "vizwiz");
  const std::string instruction =
      "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + kPhrase;
  questions = read_benchmark_questions(vizwiz);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].id == "0000.png");
  CHECK(questions[0].text == "What is this?" + instruction);
  CHECK(questions[0].groups == std::vector<std::string>{"unanswerable"});
  vizwiz.path = llava_file(folder.path(), {llava_line(3, "0001.png", "Which color?" + instruction)});
  CHECK(read_benchmark_questions(vizwiz)[0].answers.empty());
  vizwiz.annotations = folder.path() / "vizwiz" / "val.json";
  questions = read_benchmark_questions(vizwiz);
  CHECK(questions[0].answers == std::vector<std::string>(10, "red"));
  CHECK(questions[0].id == "3");
}

// In the forms of LLaVA's convert_vizwiz_for_submission.py, convert_gqa_for_eval.py and
// convert_seed_for_submission.py.
TEST_CASE("server files of gqa, vizwiz and SEED-Bench, one answer of two missing") {
  BenchmarkQuestion first, second;
  first.id = "5";
  second.id = "n/6";
  BenchmarkOptions options;
  for (const char* images : {"", "pictures", "pictures/", "../some/./pictures"}) {
    INFO(images);
    options.images = images;
    first.picture = options.images / "VizWiz_test_00000000.jpg";
    second.picture = options.images / "more" / "b.jpg";
    const std::vector<JudgedQuestion> judged = {{&first, "A Dog.", {"dog", 1.0, true}, false},
                                                {&second, "", {"", 0.0, false}, true}};
    CHECK(json::parse(vizwiz_server_file(judged, options)) ==
          json::parse(R"([{"image": "VizWiz_test_00000000.jpg", "answer": "dog"},
                          {"image": "more/b.jpg", "answer": ""}])"));
    CHECK(json::parse(gqa_server_file(judged, options)) ==
          json::parse(R"([{"questionId": "5", "prediction": "dog"}])"));
    CHECK(seed_bench_server_file(judged, options) ==
          json_lines({{{"question_id", "5"}, {"prediction", "A Dog."}},
                      {{"question_id", "n/6"}, {"prediction", ""}}}));
  }
}

TEST_CASE("pope: a folder of categories, one file, LLaVA's file in the same order") {
  const TemporaryFolder folder;
  BenchmarkOptions options = pope_case(folder.path());
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 3);
  CHECK(questions[0].id == "popular/1");
  CHECK(questions[1].id == "random/1");
  CHECK(questions[1].answers == std::vector<std::string>{"yes"});
  CHECK(questions[1].text == "Is there a dog in the image?" + kPhrase);
  options.path = folder.path() / "coco" / "coco_pope_random.json";
  CHECK(read_benchmark_questions(options).size() == 2);

  options.annotations = folder.path() / "coco";
  const std::string text = "Is there a dog in the image?" + kPhrase;
  const json first = llava_line(7, "0000.png", text, "random"),
             second = llava_line(9, "0001.png", text, "random");
  options.path = llava_file(folder.path(), {first, llava_line(8, "0002.png", text, "popular"), second});
  questions = read_benchmark_questions(options);
  // LLaVA's ids go on from category to category.
  CHECK(questions[0].id == "7");
  CHECK(questions[1].id == "8");
  CHECK(questions[1].groups == std::vector<std::string>{"popular"});
  CHECK(questions[2].id == "9");
  CHECK(questions[2].answers == std::vector<std::string>{"no"});
  options.path = llava_file(folder.path(), {second});
  require_refused(options, {"line 1", "0000.png", "0001.png"});
  options.path = llava_file(folder.path(), {first, second, second});
  require_refused(options, {"line 3", "2 questions of random"});
  options.path = llava_file(folder.path(), {llava_line(1, "0000.png", text, "adversarial")});
  require_refused(options, {"line 1", "adversarial"});
}

TEST_CASE("mme: both layouts of its folder, and LLaVA's file") {
  const TemporaryFolder folder;
  BenchmarkOptions options = mme_case(folder.path());
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 4);
  CHECK(questions[0].id == "count/000/1");
  CHECK(questions[0].text == "Is there one dog?" + kPhrase);
  CHECK(questions[0].answers == std::vector<std::string>{"yes"});
  CHECK(questions[1].text == "Are there two dogs?" + kPhrase);
  CHECK(questions[1].answers == std::vector<std::string>{"no"});
  CHECK(questions[0].picture == options.path / "count" / "000.png");
  CHECK(questions[2].picture == options.path / "artwork" / "images" / "7.jpg");

  options.annotations = options.path;
  options.path =
      llava_file(folder.path(),
                 {llava_line("artwork/7.jpg", "artwork/images/7.jpg", "Is it old?" + kPhrase, "artwork"),
                  llava_line("count/000.png", "count/000.png", "Are there two dogs?" + kPhrase, "count")});
  questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].id == "artwork/7/2");
  CHECK(questions[1].id == "count/000/2");
  CHECK(questions[1].file == options.path);
  CHECK(questions[1].annotation == options.annotations / "count" / "000.txt");
  options.path =
      llava_file(folder.path(), {llava_line("count/000.png", "count/000.png", "Three?" + kPhrase)});
  require_refused(options, {"line 1", "count/000"});
}

TEST_CASE("mme: the zip's folder a level deeper") {
  const TemporaryFolder folder;
  BenchmarkOptions options = mme_case(folder.path());
  const auto expected = read_benchmark_questions(options);
  const fs::path outer = folder.path() / "MME_Benchmark_release_version";
  fs::create_directories(outer);
  fs::rename(options.path, outer / "MME_Benchmark");
  options.path = outer;
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == expected.size());
  for (size_t i = 0; i < questions.size(); ++i) {
    CHECK(questions[i].id == expected[i].id);
    CHECK(fs::exists(questions[i].picture));
  }
  options.annotations = outer;
  options.path =
      llava_file(folder.path(),
                 {llava_line("count/000.png", "count/000.png", "Are there two dogs?" + kPhrase, "count")});
  for (const fs::path& images : {fs::path(), outer}) {
    options.images = images;
    questions = read_benchmark_questions(options);
    REQUIRE(questions.size() == 1);
    CHECK(fs::exists(questions[0].picture));
  }
}

TEST_CASE("mmbench: pictures in the file, references, hints, rotations, quotes, splits") {
  const TemporaryFolder folder;
  BenchmarkOptions options = mmbench_case(folder.path());
  const auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 3);
  CHECK(questions[0].text == "Which one?\nA. cat\nB. dog" + kLetter);
  CHECK(questions[0].unit == questions[1].unit);
  CHECK(questions[0].unit != questions[2].unit);
  CHECK(questions[1].picture_base64 == questions[0].picture_base64);
  CHECK(decode_base64(*questions[0].picture_base64, "x") == file_text(demo_data("pictures") / "0000.png"));
  CHECK(questions[2].text == "A\thint\nSay \"so\"\n or not\nA. red\nB. blue\nC. green\nD. gray" + kLetter);
  CHECK(questions[2].answers == std::vector<std::string>{"C"});
  CHECK((questions[2].groups == std::vector<std::string>{"reasoning", "social"}));
  options.split = "dev";
  CHECK(read_benchmark_questions(options).size() == 3);
  // What pandas.read_table takes for missing is no choice and no hint.
  for (const char* missing : {"NA", "N/A", "null", "None", "NaN", "<NA>"}) {
    INFO(missing);
    const TemporaryFolder own;
    const BenchmarkOptions changed = mmbench_case(own.path());
    replace_in(changed.path, "\tcat\tdog\t\t\tA", concat("\tcat\tdog\t", missing, "\t\tA"));
    replace_in(changed.path, "Which one?\tnan", concat("Which one?\t", missing));
    const auto read = read_benchmark_questions(changed);
    CHECK(read[0].text == questions[0].text);
    CHECK(read[1].text == questions[1].text);
  }
  options.split = "test";
  require_refused(options, {"dev", "\"test\""});
}

TEST_CASE("seed_bench: the questions on pictures") {
  const TemporaryFolder folder;
  BenchmarkOptions options = seed_bench_case(folder.path());
  auto questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].text == "How many?\nA. One\nB. Two\nC. Three\nD. Four" + kLetter);
  CHECK(questions[1].groups == std::vector<std::string>{"Instance Counting"});
  CHECK(questions[0].picture == demo_data("pictures") / "0000.png");
  options.annotations = options.path;
  options.path = llava_file(folder.path(), {llava_line(9, "v/9.png", "On a video" + kLetter),
                                            llava_line(102, "SEED-Bench-image/x", "How many?" + kLetter)});
  questions = read_benchmark_questions(options);
  REQUIRE(questions.size() == 1);
  CHECK(questions[0].id == "102");
  CHECK(questions[0].picture == options.images / "SEED-Bench-image/x");
}

TEST_CASE("question files with carriage returns or a byte order mark are read alike") {
  const bool returns = GENERATE(false, true), mark = GENERATE(false, true);
  const TemporaryFolder folder;
  // A line break within a quoted cell keeps its carriage return, as in pandas.
  const auto without_returns = [](const std::string& text) { return replace_all(text, "\r", ""); };
  for (const BenchmarkOptions& options : question_cases(folder.path())) {
    INFO(options.kind << (returns ? ", carriage returns" : "") << (mark ? ", mark" : ""));
    const auto expected = read_benchmark_questions(options);
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / options.kind)) {
      const std::string ending = entry.path().extension().string();
      if (ending != ".json" && ending != ".txt" && ending != ".tsv") continue;
      const std::string text = without_returns(file_text(entry.path()));
      write_text(entry.path(),
                 (mark ? "\xEF\xBB\xBF" : "") + (returns ? replace_all(text, "\n", "\r\n") : text));
    }
    const auto questions = read_benchmark_questions(options);
    REQUIRE(questions.size() == expected.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      CHECK(questions[i].id == expected[i].id);
      CHECK(without_returns(questions[i].text) == expected[i].text);
      CHECK(questions[i].answers == expected[i].answers);
      CHECK(questions[i].choices == expected[i].choices);
      CHECK(questions[i].groups == expected[i].groups);
      CHECK(questions[i].picture == expected[i].picture);
    }
  }
}

// What read_table of pandas 3.1 makes of the same bytes.
TEST_CASE("lines of a table end in a line feed, a carriage return or both") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "table.tsv";
  write_text(file, "a\tb\r1\t2\r\r3\t\"x\"\r\n5\t\"6\r7\"\n8\t9\r");
  const TabSeparated table(file);
  REQUIRE(table.rows() == 4);
  CHECK(table.cell(0, "a") == "1");
  CHECK(table.cell(0, "b") == "2");
  CHECK(table.cell(1, "a") == "3");
  CHECK(table.cell(1, "b") == "x");
  CHECK(table.cell(2, "b") == "6\r7");
  CHECK(table.cell(3, "b") == "9");
  CHECK(table.where(0) == file.string() + ", line 2");
  CHECK(table.where(1) == file.string() + ", line 4");
}

TEST_CASE("cells of the server's table are numbers only where nothing is lost") {
  // Stored without compression, so that the XML can be read.
  const std::string bytes = excel_file({{"7", "0", "007", "7a", ""}, std::vector<std::string>(28, "1")});
  for (const char* place : {"r=\"Z2\"", "r=\"AA2\"", "r=\"AB2\""})
    CHECK(bytes.find(place) != bytes.npos);
  for (const char* number : {"<c r=\"A1\"><v>7</v></c>", "<c r=\"B1\"><v>0</v></c>"})
    CHECK(bytes.find(number) != bytes.npos);
  for (const char* text : {">007</t>", ">7a</t>"})
    CHECK(bytes.find(text) != bytes.npos);
}

TEST_CASE("base64 as RFC 4648 has it") {
  // Section 10.
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"Zm9vYmFy", "foobar"}})
    CHECK(decode_base64(text, "x") == bytes);
  for (const char* bad : {"", "Zg=", "Zg", "Z===", "Zm9v\n", "Zm=v", "Zm-v", "Zm 9", "=Zm9"})
    CHECK_THROWS_AS(decode_base64(bad, "x"), UserError);
}
