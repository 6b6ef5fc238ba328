// What is said of question files that are not in the published form.
#include "core/error.h"
#include "question_files_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

TEST_CASE("question files with a mistake are refused in one line") {
  const TemporaryFolder folder;
  const auto cases = question_cases(folder.path());
  for (const BenchmarkOptions& options : cases) {
    INFO(options.kind);
    // Cut: the last third is gone. Of the folders, one file is.
    fs::path file = options.path;
    if (options.kind == "pope") file /= "coco_pope_random.json";
    if (options.kind == "mme") file = file / "count" / "000.txt";
    const std::string whole = file_text(file);
    write_text(file, whole.substr(0, whole.size() * 2 / 3));
    require_refused(options, {file.string()});
    write_text(file, "");
    if (options.kind != "mme") require_refused(options, {file.string()});
    write_text(file, whole);
    CHECK(read_benchmark_questions(options).size() >= 2);
  }
}

TEST_CASE("a missing key or a value of another form is named") {
  const TemporaryFolder folder;
  const std::vector<std::tuple<size_t, std::string, std::string, std::vector<std::string>>> mistakes = {
      {0, "\"image_id\"", "\"image\"", {"val.json, question 0", "image_id"}},
      {0, "\"data\"", "\"date\"", {"val.json", "data"}},
      {0, "\"question_id\": 34603", "\"question_id\": 34602", {"34602 again"}},
      {1, "\"question_id\": 42001", "\"question_id\": 42002", {"42002", "annotations.json"}},
      {1, "\"image_id\": 42", "\"image_id\": [42]", {"questions.json, question 0", "array"}},
      {2, "\"imageId\"", "\"imageID\"", {"testdev.json, question 201", "imageId"}},
      {2, "\"answer\": \"red\"", "\"answer\": 3", {"question 201", "answer", "number"}},
      {3, "\"answer_type\"", "\"type\"", {"val.json, question 0", "answer_type"}},
      {3, "\"answers\": [", "\"answers\": [3, ", {"val.json, question 0, answers", "number"}},
      {7, "\"choice_c\"", "\"choice_e\"", {"SEED-Bench.json, question 0", "choice_c"}},
      {7, "\"answer\": \"B\"", "\"answer\": \"E\"", {"question 0", "\"E\""}},
      {7, "\"question_type_id\": 1", "\"question_type_id\": 77", {"question_type_id", "77"}},
  };
  for (const auto& [kind, from, to, parts] : mistakes) {
    const TemporaryFolder own;
    const BenchmarkOptions options = question_cases(own.path())[kind];
    INFO(options.kind << ": " << from);
    replace_in(options.path, from, to);
    require_refused(options, parts);
  }
  const BenchmarkOptions pope = pope_case(folder.path() / "a");
  replace_in(pope.path / "coco_pope_random.json", "\"yes\"", "\"maybe\"");
  require_refused(pope, {"coco_pope_random.json, line 1", "maybe"});
  const BenchmarkOptions mme = mme_case(folder.path() / "b");
  replace_in(mme.path / "count" / "000.txt", "\tNo", " No");
  require_refused(mme, {"000.txt, line 2", "tab"});
  replace_in(mme.path / "count" / "000.txt", "Yes\r\n", "Yes\r\n\r\n");  // blank lines count
  require_refused(mme, {"000.txt, line 3", "tab"});
  BenchmarkOptions nothing = mme;
  nothing.path = folder.path();
  require_refused(nothing, {folder.path().string()});
}

TEST_CASE("answers to some of the questions are refused, answers to none are a test split's") {
  const TemporaryFolder folder;
  const std::vector<std::pair<BenchmarkOptions, std::vector<std::string>>> cases = {
      {textvqa_case(folder.path() / "textvqa"), {"34602", "34603", "34604"}},
      {gqa_case(folder.path() / "gqa"), {"201", "202"}},
      {vizwiz_case(folder.path() / "vizwiz"), {"0000.png", "0001.png"}}};
  for (const auto& [options, ids] : cases) {
    const json root = read_json(options.path);
    const auto remove_answers = [&](size_t begin, size_t end) {
      json changed = root;
      size_t number = 0;
      for (json& entry : options.kind == "textvqa" ? changed["data"] : changed) {
        if (number >= begin && number < end) entry.erase(options.kind == "gqa" ? "answer" : "answers");
        ++number;
      }
      write_value(options.path, changed);
    };
    const size_t count = ids.size();
    for (const auto& [begin, end] : std::vector<std::pair<size_t, size_t>>{{count - 1, count}, {1, count}}) {
      remove_answers(begin, end);
      const std::string share = concat("got ", end - begin, " of ", count, " without");
      require_refused(options, {options.path.string(), share, "question " + ids[begin]});
    }
    remove_answers(0, count);
    for (const BenchmarkQuestion& question : read_benchmark_questions(options))
      CHECK(question.answers.empty());
  }
  // MMBench's table may hold several splits.
  const BenchmarkOptions mmbench = mmbench_case(folder.path() / "mmbench");
  replace_in(mmbench.path, "\tB\tphysics", "\t\tphysics");
  require_refused(mmbench, {mmbench.path.string(), "got 1 of 3 without", "question 1000241"});
  replace_in(mmbench.path, "\tdev\n252", "\ttest\n252");
  CHECK(read_benchmark_questions(mmbench).size() == 3);
}

TEST_CASE("mistakes of an MMBench file are named with their line") {
  const std::vector<std::pair<std::pair<std::string, std::string>, std::vector<std::string>>> mistakes = {
      {{"\t241\treasoning", "\t999\treasoning"}, {"dev.tsv, line 3", "\"999\""}},
      {{"\tB\tphysics", "\tC\tphysics"}, {"dev.tsv, line 3", "\"C\""}},
      {{"1000241", "x241"}, {"dev.tsv, line 3", "\"x241\""}},
      {{"1000241", "241"}, {"241 again"}},
      {{"index\tquestion", "number\tquestion"}, {"column index"}},
      {{"\treasoning\tdev\n1000241", "\treasoning\n1000241"}, {"dev.tsv, line 2", "12 cells", "got 11"}},
      {{"\tred\tblue\tgreen\tgray", "\tred\t\t\t"}, {"dev.tsv, line 4", "two choices"}},
  };
  for (const auto& [change, parts] : mistakes) {
    const TemporaryFolder folder;
    const BenchmarkOptions options = mmbench_case(folder.path());
    replace_in(options.path, change.first, change.second);
    require_refused(options, parts);
  }
}
