// Oracle: LLaVA's convert_to_llava, restated in scripts/fixtures/make_scienceqa_fixtures.py.
#include "data/scienceqa.h"
#include "data_files.h"

using namespace qslaw;
using Catch::Contains;
using data_files::error_of;
using data_files::fixture;

namespace {

nlohmann::json expected_records(const std::string& format) {
  std::ifstream in(fixture("scienceqa/llava_train_" + format + ".json"));
  return nlohmann::json::parse(in);
}

// The fixture's files with a picture for every problem.
struct Files {
  data_files::Folder folder;
  DataOptions options;
  explicit Files(const std::string& format = "QCM-LEA") {
    options.kind = "scienceqa";
    options.problems = fixture("scienceqa/problems.json");
    options.splits = fixture("scienceqa/pid_splits.json");
    options.images = folder.path();
    options.prompt_format = format;
    for (const char* name : {"1/image.png", "7/map.png", "21/image.png", "34/image.png", "100/image.png"}) {
      folder.write(name, "x");
    }
  }
  EncodingContext context(TemplateKind kind = TemplateKind::vicuna_v1) const {
    return {&data_files::tokenizer(), kind, 16};
  }
  std::unique_ptr<Dataset> open() const { return make_dataset(options, context()); }
};

std::string read_error(const std::string& problems, const std::string& splits = R"({"train": ["1"]})") {
  const data_files::Folder folder;
  const auto a = folder.write("problems.json", problems);
  const auto b = folder.write("pid_splits.json", splits);
  return error_of([&] { read_scienceqa(a, b, "train", folder.path()); });
}

}  // namespace

TEST_CASE("scienceqa: questions and answers of both formats") {
  for (const std::string format : {"QCM-LEA", "CQM-A"}) {
    const auto records = expected_records(format);
    const auto problems = read_scienceqa(fixture("scienceqa/problems.json"),
                                         fixture("scienceqa/pid_splits.json"), "train", "pictures");
    REQUIRE(problems.size() == records.size());
    for (size_t i = 0; i < problems.size(); ++i) {
      INFO(format << " " << problems[i].id);
      CHECK(problems[i].id == records[i]["id"]);
      const bool has_picture = records[i].contains("image");
      const auto picture = has_picture ? "pictures/" + records[i]["image"].get<std::string>() : "";
      CHECK(problems[i].picture.string() == picture);
      CHECK(scienceqa_question(problems[i], format) + (has_picture ? "\n<image>" : "") ==
            records[i]["conversations"][0]["value"].get<std::string>());
      CHECK(scienceqa_answer(problems[i], format) ==
            records[i]["conversations"][1]["value"].get<std::string>());
    }
  }
}

TEST_CASE("scienceqa: the fields that the report groups by") {
  const auto problems =
      read_scienceqa(fixture("scienceqa/problems.json"), fixture("scienceqa/pid_splits.json"), "test", "");
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].id == "100");
  CHECK(problems[0].subject == "natural science");
  CHECK(problems[0].grade == "grade11");
  CHECK(problems[0].hint == "A hint.");
  CHECK(problems[0].choices == std::vector<std::string>{"yes", "no"});
  CHECK(problems[1].answer == 1);
  CHECK(problems[1].picture.empty());
  CHECK(problems[0].skill == "Magnets attract or repel");
}

TEST_CASE("scienceqa: training samples are LLaVA's records, encoded") {
  for (const std::string format : {"QCM-LEA", "CQM-A"}) {
    const Files files(format);
    const auto dataset = files.open();
    const auto records = expected_records(format);
    REQUIRE(dataset->size() == static_cast<int64_t>(records.size()));
    for (int64_t i = 0; i < dataset->size(); ++i) {
      const auto& record = records[static_cast<size_t>(i)];
      const auto& talk = record["conversations"];
      const bool has_picture = record.contains("image");
      const auto encoded = encode_conversation(
          data_files::tokenizer(), TemplateKind::vicuna_v1,
          {{Role::human, talk[0]["value"]}, {Role::assistant, talk[1]["value"]}}, has_picture);
      const Sample sample = dataset->at(i);
      CHECK(sample.id == record["id"]);
      CHECK(sample.ids == encoded.ids);
      CHECK(sample.labels == encoded.labels);
      CHECK(sample.pictures.size() == (has_picture ? 1 : 0));
    }
    CHECK(data_files::bad_samples(*dataset).empty());
  }
}

TEST_CASE("scienceqa: split, limit, fingerprint, missing picture") {
  Files files;
  const auto all = files.open();
  files.options.limit = 2;
  CHECK(files.open()->size() == 2);
  CHECK(files.open()->fingerprint() != all->fingerprint());
  files.options.limit = 0;
  CHECK(files.open()->fingerprint() == all->fingerprint());
  files.options.prompt_format = "CQM-A";
  CHECK(files.open()->fingerprint() != all->fingerprint());
  files.options.split = "test";
  CHECK(files.open()->size() == 2);
  std::filesystem::remove(files.folder.path() / "100/image.png");
  const auto error = error_of([&] { files.open()->at(0); });
  CHECK_THAT(error, Contains("problems.json, sample 0 of test (id 100)] expected the picture"));
  CHECK_THAT(error, Contains("100/image.png, got no such file"));
  files.options.split = "minival";
  CHECK_THAT(error_of([&] { files.open(); }), Contains("expected one of test, train as split"));
  files.options.split = "train";
  files.options.prompt_format = "QCM-ALE";
  CHECK_THAT(error_of([&] { files.open(); }), Contains("expected QCM-LEA or CQM-A as prompt_format"));
}

TEST_CASE("scienceqa: every subject and grade of the benchmark, and none") {
  const data_files::Folder folder;
  nlohmann::json problems;
  std::vector<std::string> ids;
  const char* const subjects[] = {"natural science", "social science", "language science", ""};
  for (int i = 0; i < 13; ++i) {
    ids.push_back(std::to_string(i));
    problems[ids.back()] = {
        {"question", "q"}, {"choices", {"a"}}, {"answer", 0}, {"subject", subjects[i % 4]}};
    problems[ids.back()]["grade"] = i == 0 ? nlohmann::json(nullptr) : nlohmann::json("grade" + ids.back());
  }
  const auto a = folder.write("problems.json", problems.dump());
  const auto b = folder.write("pid_splits.json", nlohmann::json{{"test", ids}}.dump());
  const auto read = read_scienceqa(a, b, "test", folder.path());
  REQUIRE(read.size() == ids.size());
  for (size_t i = 0; i < read.size(); ++i) {
    CHECK(read[i].subject == subjects[i % 4]);
    CHECK(read[i].grade == (i == 0 ? "" : "grade" + ids[i]));
  }
}

TEST_CASE("scienceqa: bad files") {
  const std::string good = R"({"question": "q", "choices": ["a", "b"], "answer": 0)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"([])", "expected an object in"},
      {R"({"1": {}, )", "expected valid JSON in"},
      {R"({"2": {}})", "expected problem 1 of"},
      {R"({"1": 3})", "problem 1] expected an object, got number"},
      {R"({"1": {}})", "problem 1] expected the key question"},
      {R"({"1": {"question": 3}})", "expected a text as question, got number"},
      {R"({"1": {"question": "q", "choices": [], "answer": 0}})", "expected 1 to 5 choices, got 0"},
      {R"({"1": {"question": "q", "choices": ["a", 2], "answer": 0}})",
       "expected a text as choices, got number"},
      {R"({"1": {"question": "q", "choices": ["1", "2", "3", "4", "5", "6"], "answer": 0}})",
       "choices, got 6"},
      {R"({"1": {"question": "q", "choices": ["a"], "answer": "0"}})", "expected a whole number as answer"},
      {R"({"1": {"question": "q", "choices": ["a"], "answer": 1}})", "expected an answer from 0 to 0, got 1"},
      {R"({"1": )" + good + R"(, "hint": 3}})", "expected a text as hint, got number"},
      {R"({"1": )" + good + R"(, "image": ["x"]}})", "expected a text as image, got array"},
      {R"({"1": )" + good + R"(, "subject": "natural sciences"}})",
       "problems.json, problem 1] expected natural science, social science or language science as subject, "
       "got "
       "\"natural sciences\""},
      {R"({"1": )" + good + R"(, "grade": "grade13"}})",
       "problems.json, problem 1] expected grade1, grade2, grade3, grade4, grade5, grade6, grade7, grade8, "
       "grade9, "
       "grade10, grade11 or grade12 as grade, got \"grade13\""},
      {R"({"1": )" + good + R"(, "grade": "7"}})", "as grade, got \"7\""},
  };
  for (const auto& [problems, message] : cases) {
    INFO(problems);
    CHECK_THAT(read_error(problems), Contains(message));
  }
  CHECK_THAT(read_error("{}", R"({"train": [1.5]})"), Contains("expected problem ids"));
  // A number is the same id as its text.
  CHECK_THAT(read_error(R"({"1": )" + good + R"(}, "2": )" + good + "}}", R"({"train": ["1", "2", 1]})"),
             Contains("expected each problem once in the split train of") && Contains("pid_splits.json") &&
                 Contains("got 1 as entry 1 and 3"));
  CHECK_THAT(read_error("{}", R"({"train": {}})"),
             Contains("expected a list of problem ids as split train of") && Contains("got object"));
  CHECK_THAT(read_error("{\"1\": \"\xff\"}"), Contains("another encoding at byte 7"));
}
