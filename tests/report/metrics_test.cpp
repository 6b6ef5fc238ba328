#include "report/metrics.h"

#include <sys/wait.h>

#include <cmath>
#include <csignal>

#include "report/report_files.h"

using namespace qslaw;
using nlohmann::json;

namespace {

std::vector<int64_t> steps_in(const ReportFolder& folder) {
  std::vector<int64_t> steps;
  for (const json& line : read_metrics(folder.path / "metrics.jsonl"))
    steps.push_back(line["step"]);
  return steps;
}

void write_steps(const ReportFolder& folder, int64_t done, std::vector<int64_t> steps) {
  MetricsWriter writer(folder.path / "metrics.jsonl", done);
  for (int64_t step : steps)
    writer.write({{"step", step}, {"loss", 0.1 * static_cast<double>(step)}});
}

using Steps = std::vector<int64_t>;

}  // namespace

TEST_CASE("metrics are appended one object per line") {
  const ReportFolder folder;
  write_steps(folder, 0, {1, 2});
  CHECK(folder.read("metrics.jsonl") == "{\"loss\":0.1,\"step\":1}\n{\"loss\":0.2,\"step\":2}\n");
}

TEST_CASE("a fresh run begins the file anew") {
  const ReportFolder folder;
  write_steps(folder, 0, {1, 2, 3});
  write_steps(folder, 0, {1});
  CHECK(steps_in(folder) == Steps{1});
}

TEST_CASE("resuming drops the steps that will be done again and keeps the other bytes") {
  const ReportFolder folder;
  // The numbers' spelling must survive: kept lines are not written anew.
  folder.write("metrics.jsonl",
               "{\"step\": 0, \"heldout\": {\"text_loss\": 2.50}}\n{\"step\": 1, \"loss\": 1e0}\n"
               "{\"step\": 2, \"loss\": 9}\n{\"step\": 2, \"heldout\": {}}\n{\"step\": 3, \"loss\": 7}\n");
  write_steps(folder, 2, {3, 4});
  CHECK(folder.read("metrics.jsonl") ==
        "{\"step\": 0, \"heldout\": {\"text_loss\": 2.50}}\n{\"step\": 1, \"loss\": 1e0}\n"
        "{\"step\": 2, \"loss\": 9}\n{\"step\": 2, \"heldout\": {}}\n"
        "{\"loss\":0.30000000000000004,\"step\":3}\n{\"loss\":0.4,\"step\":4}\n");
}

TEST_CASE("a last line cut at any byte is dropped, a complete one without its newline kept") {
  const ReportFolder folder;
  const std::string first = "{\"step\":1}\n", second = "{\"step\":2,\"note\":\"\xC3\xA4\"}";
  for (size_t kept = 0; kept < second.size(); ++kept) {
    folder.write("metrics.jsonl", first + second.substr(0, kept));
    CHECK(steps_in(folder) == Steps{1});
    write_steps(folder, 5, {6});
    CHECK(steps_in(folder) == Steps{1, 6});
  }
  folder.write("metrics.jsonl", first + second);
  write_steps(folder, 5, {6});
  CHECK(steps_in(folder) == Steps{1, 2, 6});
}

TEST_CASE("a malformed line in the middle is the user's error, with its number") {
  const ReportFolder folder;
  folder.write("metrics.jsonl", "{\"step\":1}\n\n{\"step\":\n{\"step\":3}\n");
  const auto message = refusal_of([&] { read_metrics(folder.path / "metrics.jsonl"); });
  CHECK(message == "[metrics] expected valid JSON in " + (folder.path / "metrics.jsonl").string() +
                       ", got a text that ends too early at line 3, column 9");
  folder.write("metrics.jsonl", "{\"loss\":1}\n");
  CHECK(refusal_of([&] { MetricsWriter(folder.path / "metrics.jsonl", 1); }) != "");
}

TEST_CASE("no file is no metrics, no folder is an error") {
  const ReportFolder folder;
  CHECK(read_metrics(folder.path / "metrics.jsonl").empty());
  CHECK(refusal_of([&] { MetricsWriter(folder.path / "absent" / "metrics.jsonl", 0); }) != "");
}

TEST_CASE("what is not finite becomes null, bad UTF-8 is replaced") {
  const ReportFolder folder;
  {
    MetricsWriter writer(folder.path / "metrics.jsonl", 0);
    writer.write({{"step", 1}, {"loss", std::nan("")}, {"grad_norm", INFINITY}, {"note", "\xFF"}});
  }
  const json line = read_metrics(folder.path / "metrics.jsonl").at(0);
  CHECK(line["loss"].is_null());
  CHECK(line["grad_norm"].is_null());
  CHECK(line["note"] == "\xEF\xBF\xBD");
}

TEST_CASE("a line without a step breaks an invariant") {
  const ReportFolder folder;
  MetricsWriter writer(folder.path / "metrics.jsonl", 0);
  CHECK_THROWS_AS(writer.write({{"loss", 1.0}}), InternalError);
  CHECK_THROWS_AS(writer.write({{"step", 1.5}}), InternalError);
  CHECK_THROWS_AS(writer.write(json::array()), InternalError);
}

TEST_CASE("a killed process loses no line that it wrote") {
  const ReportFolder folder;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    MetricsWriter writer(folder.path / "metrics.jsonl", 0);
    for (int64_t step = 1; step <= 500; ++step)
      writer.write({{"step", step}});
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(steps_in(folder).size() == 500);
}
