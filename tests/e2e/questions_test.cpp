// A published benchmark from its file to the server's, and an evaluation that goes on.
#include <set>

#include "dry_run.h"
#include "report/markup.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// VizWiz questions on two of the experiment's pictures; returns the first picture.
fs::path write_questions(const TinyExperiment& experiment) {
  json questions = json::array();
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(experiment.data("pictures")))
    names.insert(entry.path().filename().string());
  REQUIRE(names.size() >= 2);
  for (auto name = names.begin(); questions.size() < 2; ++name) {
    json answers = json::array();
    for (int k = 0; k < 10; ++k)
      answers.push_back(json{{"answer", "4"}, {"answer_confidence", "yes"}});
    questions.push_back(json{
        {"image", *name}, {"question", "What is this?"}, {"answers", answers}, {"answer_type", "other"}});
  }
  write_text(experiment.data("val.json"), questions.dump());
  experiment.write_recipe(benchmark(
      "kind: vizwiz, path: data/val.json, images: data/pictures, max_new_tokens: 3, batch_size: 1"));
  return experiment.data("pictures") / *names.begin();
}

// MMBench questions whose pictures lie in the file itself, that of number `spoiled` with these bytes.
void write_mmbench(const TinyExperiment& experiment, size_t count, size_t spoiled, const std::string& bytes) {
  const std::string sound = base64(file_bytes(fs::directory_iterator(experiment.data("pictures"))->path()));
  std::string table = "index\tquestion\tA\tB\tanswer\timage\n";
  for (size_t i = 0; i < count; ++i) {
    const std::string image = i == spoiled ? base64(bytes) : i == 0 ? sound : "0";
    table += std::to_string(i) + "\tWhich one?\tcat\tdog\tA\t" + image + "\n";
  }
  write_text(experiment.data("dev.tsv"), table);
  experiment.write_recipe(benchmark("kind: mmbench, path: data/dev.tsv, max_new_tokens: 3, batch_size: 1"));
}

// MME's texts two levels deep, asked from a LLaVA file; returns the text.
fs::path write_mme(const TinyExperiment& experiment) {
  const fs::path text = experiment.data("MME") / "artwork" / "questions_answers_YN" / "7.txt";
  fs::create_directories(text.parent_path());
  write_text(text, "Is it oil? Please answer yes or no.\tNo\nIs it old? Please answer yes or no.\tYes\n");
  fs::create_directories(experiment.data("MME") / "artwork" / "images");
  fs::copy_file(fs::directory_iterator(experiment.data("pictures"))->path(),
                experiment.data("MME") / "artwork" / "images" / "7.png");
  std::string lines;
  for (const char* asked : {"Is it oil?", "Is it old?"}) {
    lines += json{{"question_id", "artwork/7.png"},
                  {"image", "artwork/images/7.png"},
                  {"text", std::string(asked) + "\nAnswer the question using a single word or phrase."}}
                 .dump() +
             "\n";
  }
  write_text(experiment.data("mme.jsonl"), lines);
  experiment.write_recipe(
      benchmark("kind: mme, path: data/mme.jsonl, annotations: data/MME, images: data/MME, "
                "max_new_tokens: 3, batch_size: 1"));
  return text;
}

}  // namespace

TEST_CASE("a published benchmark is checked by a dry run and leaves the server's file") {
  const TinyExperiment experiment;
  const fs::path picture = write_questions(experiment);
  require_success(dry_run(experiment, "eval"));
  require_success(experiment.run("eval"));
  const json report = json_file(experiment.output() / "eval" / "report.json");
  CHECK(report.at("files").contains("predictions/vizwiz.jsonl"));
  CHECK(report.at("files").contains("submissions/vizwiz.json"));
  CHECK(report.at("results").at("vizwiz").at("n") == 2);
  CHECK(json_file(experiment.output() / "eval" / "submissions" / "vizwiz.json").size() == 2);
  fs::remove(picture);
  require_user_error(dry_run(experiment, "eval"), {picture.string()});
}

TEST_CASE("an evaluation that ended early goes on behind its last answers") {
  const TinyExperiment experiment;
  write_questions(experiment);
  const fs::path eval = experiment.output() / "eval", kept = eval / "checkpoint-answers" / "vizwiz.jsonl";
  // A file in the place of the folder of predictions: what is answered cannot be written.
  fs::create_directories(eval);
  write_text(eval / "predictions", "");
  require_user_error(experiment.run("eval"), {(eval / "predictions").string()});
  CHECK(count_lines(kept) == 2);
  require_user_error(experiment.run("eval"), {"--resume", "--restart"});
  fs::remove(eval / "predictions");
  write_text(kept, json{{"begin", 0}, {"answers", json::array({json::array({0, "kept"})})}}.dump() + "\n");
  require_success(experiment.run("eval", {"--resume"}));
  const std::string lines = file_bytes(eval / "predictions" / "vizwiz.jsonl");
  CHECK(lines.find("\"text\":\"kept\"") != lines.npos);
  CHECK(count_lines(eval / "predictions" / "vizwiz.jsonl") == 2);
  CHECK_FALSE(fs::exists(eval / "checkpoint-answers"));
}

TEST_CASE("pictures inside of a question file are looked at by a dry run, whole with --all-samples") {
  const TinyExperiment experiment;
  constexpr size_t kCount = 1200, kOdd = 601;  // one of every two would be passed over with 500 samples
  const std::string jpeg = file_bytes(fs::path(QSLAW_FIXTURES) / "images" / "photo_420.jpg");
  SECTION("no picture, of more than 500 questions") {
    write_mmbench(experiment, kCount, kOdd, std::string(100, 'x'));
    require_user_error(dry_run(experiment, "eval"), {"1 bad among 1200", "question 601"});
  }
  SECTION("cut behind its header") {
    write_mmbench(experiment, kCount, kOdd, jpeg.substr(0, jpeg.size() - 100));
    require_success(dry_run(experiment, "eval"));
    require_user_error(dry_run(experiment, "eval", {"--all-samples"}), {"1 bad among 1200", "question 601"});
  }
  SECTION("all of them sound") {
    write_mmbench(experiment, 3, 1, jpeg);
    require_success(dry_run(experiment, "eval", {"--all-samples"}));
  }
}

TEST_CASE("a changed text of MME, levels below the folder that the recipe names, is a changed input") {
  const TinyExperiment experiment;
  const fs::path text = write_mme(experiment);
  require_success(experiment.run("eval"));
  const fs::path report = experiment.output() / "eval" / "report.json";
  const json before = json_file(report).at("results").at("mme");
  write_text(text, "Is it oil? Please answer yes or no.\tYes\nIs it old? Please answer yes or no.\tYes\n");
  const ProgramResult again = experiment.run("eval");
  require_success(again);
  CHECK_THAT(again.err, Catch::Contains("the changed file " + text.string()));
  const json after = json_file(report).at("results").at("mme");
  CHECK(after.at("measured_on").at("data") != before.at("measured_on").at("data"));
}
