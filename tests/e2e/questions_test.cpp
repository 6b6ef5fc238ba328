// A published benchmark from its file to the server's, and an evaluation that goes on.
#include <set>

#include "dry_run.h"

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
