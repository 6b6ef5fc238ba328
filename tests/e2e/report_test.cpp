// The command `report` on folders that no stage has to run for: reports written by hand.
#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// A run with nothing but a finished evaluation.
fs::path write_run(const TemporaryFolder& folder, const std::string& name, double accuracy, int count = 10) {
  const fs::path eval = folder.path() / name / "eval";
  fs::create_directories(eval);
  const json results = {{"scienceqa", {{"accuracy", accuracy}, {"n", count}}}};
  write_text(eval / "report.json",
             json{{"stage", "eval"}, {"status", "complete"}, {"name", name}, {"results", results}}.dump());
  return folder.path() / name;
}

size_t count_names(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a page is not written onto a folder") {
  const TemporaryFolder folder;
  const std::string run = write_run(folder, "a", 50).string(), other = write_run(folder, "b", 60).string();
  const fs::path taken = folder.path() / "taken";
  fs::create_directories(taken);
  const std::vector<std::string> message = {"[report]", "expected a file name for the page, got the folder",
                                            taken.string()};
  require_user_error(run_program({"report", run, "--out", taken.string()}), message);
  require_user_error(run_program({"report", run, other, "--out", taken.string()}), message);
  require_user_error(run_program({"report", run, "--out", taken.string() + "/"}), message);
  CHECK(count_names(folder.path()) == 3);
  fs::create_directories(folder.path() / "a" / "report.html");
  require_user_error(run_program({"report", run}), {"expected a file name", "report.html"});
}

TEST_CASE("a comparison of unlike measurements, and missing answers, are told on the console") {
  const TemporaryFolder folder;
  const std::string run = write_run(folder, "a", 50).string(), other = write_run(folder, "b", 60, 9).string();
  const ProgramResult both =
      run_program({"report", run, other, "--out", (folder.path() / "page.html").string()});
  require_success(both);
  CHECK_THAT(both.err, Catch::Contains("ScienceQA accuracy of these runs is not comparable: measured with "
                                       "different n (10; 9)"));
  fs::create_directories(fs::path(run) / "eval" / "predictions");
  write_text(fs::path(run) / "eval" / "predictions" / "scienceqa.jsonl", "{}\n{}\n");
  const ProgramResult alone = run_program({"report", run});
  require_success(alone);
  CHECK_THAT(alone.err, Catch::Contains("scienceqa.jsonl has 2 lines for 10 samples"));
}

TEST_CASE("a comparison leaves out folders that hold no readable run, and names them") {
  const TemporaryFolder folder;
  const std::string run = write_run(folder, "a", 50).string(), other = write_run(folder, "b", 60).string();
  const fs::path empty = folder.path() / "empty", broken = folder.path() / "broken",
                 page = folder.path() / "page.html";
  fs::create_directories(empty);
  fs::create_directories(broken / "eval");
  write_text(broken / "eval" / "report.json", "{");
  const auto compare = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "report");
    arguments.insert(arguments.end(), {"--out", page.string()});
    return run_program(arguments);
  };
  const ProgramResult some = compare({run, empty.string(), broken.string(), other});
  require_success(some);
  CHECK_THAT(some.err, Catch::Contains("warning left out " + empty.string()) &&
                           Catch::Contains("warning left out " + broken.string()));
  CHECK_THAT(some.err, !Catch::Contains(run + ":") && !Catch::Contains(other + ":"));
  CHECK_THAT(file_bytes(page), Catch::Contains("2 runs"));

  fs::remove(page);
  require_user_error(compare({empty.string(), broken.string()}), {"[report]", "got none", empty.string()});
  require_user_error(compare({run, (folder.path() / "no such").string()}), {"[report]", "no such"});
  require_user_error(compare({broken.string()}), {"report.json"});
  CHECK_FALSE(fs::exists(page));
}

TEST_CASE("a stage's folder is told from a run's, which is named") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder, "a", 50), eval = run / "eval";
  for (const std::string& written : {eval.string(), eval.string() + "/", (eval / ".").string()})
    require_user_error(run_program({"report", written}),
                       {"[report]", "the folder of one stage: " + written, "the run's is " + run.string()});
  fs::create_directories(run / "tune");  // stopped before its first step
  write_text(run / "tune" / "inputs.txt", "version 2\n");
  require_user_error(run_program({"report", (run / "tune").string()}), {"the run's is " + run.string()});
  CHECK_FALSE(fs::exists(eval / "report.html"));
  require_success(run_program({"report", run.string()}));
}
