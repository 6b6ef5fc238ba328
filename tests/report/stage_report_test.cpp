#include "report/stage_report.h"

#include <sys/mman.h>

#include <cmath>
#include <cstring>

#include "report/host_memory.h"
#include "report/report_files.h"

using namespace qslaw;
using nlohmann::json;

namespace {

StageReport full_report() {
  StageReport report = new_stage_report("warmup", "digits");
  report.device = "cpu";
  report.fingerprint = "ab12";
  report.seed = 18446744073709551615ULL;
  report.seconds = 12.5;
  report.tokens_per_second = 5100.25;
  report.peak_host_bytes = 4611686018427387904;
  report.peak_device_bytes = 7;
  report.memory = {1, 2, 3, 4};
  report.results = {{"steps", 3}, {"gamma", json::array()}};
  report.files = {{"gamma.safetensors", std::string(64, 'a')}};
  return report;
}

}  // namespace

TEST_CASE("a report's file has the documented keys") {
  const ReportFolder folder;
  write_stage_report(folder.path, full_report());
  const json object = json::parse(folder.read("report.json"));
  CHECK(object["stage"] == "warmup");
  CHECK(object["status"] == "complete");
  CHECK(object["name"] == "digits");
  CHECK(object["seed"] == 18446744073709551615ULL);
  CHECK(object["memory"] == json({{"weights", 1}, {"optimizer", 2}, {"gradients", 3}, {"activations", 4}}));
  CHECK(object["files"]["gamma.safetensors"] == std::string(64, 'a'));
  for (const char* key : {"version", "git", "device", "seconds", "tokens_per_second", "peak_host_bytes",
                          "peak_device_bytes", "results", "fingerprint"}) {
    CHECK(object.contains(key));
  }
}

TEST_CASE("a report reads back as it was written") {
  const ReportFolder folder;
  const StageReport written = full_report();
  write_stage_report(folder.path, written);
  const StageReport read = read_stage_report(folder.path);
  CHECK(read.seed == written.seed);
  CHECK(read.seconds == written.seconds);
  CHECK(read.tokens_per_second == written.tokens_per_second);
  CHECK(read.peak_host_bytes == written.peak_host_bytes);
  CHECK(read.memory.activations == 4);
  CHECK(read.results == written.results);
  CHECK(read.files == written.files);
  CHECK(read.version == program_version());
  CHECK(read.git == program_git());
  CHECK(is_stage_complete(folder.path));
}

TEST_CASE("numbers that are not finite do not break the file") {
  const ReportFolder folder;
  StageReport report = full_report();
  report.tokens_per_second = INFINITY;
  report.results["loss"] = std::nan("");
  write_stage_report(folder.path, report);
  const StageReport read = read_stage_report(folder.path);
  CHECK(read.tokens_per_second == 0);
  CHECK(read.results["loss"].is_null());
}

TEST_CASE("a malformed report names the file and the key") {
  const ReportFolder folder;
  const auto message = [&](const std::string& text) {
    folder.write("report.json", text);
    return refusal_of([&] { read_stage_report(folder.path); });
  };
  CHECK(message("{\"stage\":") == "[report] expected valid JSON in " +
                                      (folder.path / "report.json").string() +
                                      ", got a text that ends too early at line 1, column 10");
  CHECK(message("[]").find("expected an object, got array") != std::string::npos);
  CHECK(message("{\"status\":\"complete\"}").find("stage") != std::string::npos);
  const std::string start = "{\"stage\":\"tune\",\"status\":\"complete\",";
  CHECK(message(start + "\"seconds\":\"long\"}").find("report.json, seconds") != std::string::npos);
  CHECK(message(start + "\"memory\":{\"weights\":1.5}}").find("memory.weights") != std::string::npos);
  CHECK(message(start + "\"files\":{\"a\":1}}").find("files.a") != std::string::npos);
  CHECK(message(start + "\"later_key\":[1]}") == "");
}

TEST_CASE("a stage is complete only when its report says so") {
  const ReportFolder folder;
  CHECK_FALSE(is_stage_complete(folder.path));
  folder.write("report.json", "{\"stage\":\"tune\",\"status\":\"failed\"}");
  CHECK_FALSE(is_stage_complete(folder.path));
}

TEST_CASE("host memory grows with what the process touches") {
  const int64_t before = current_host_bytes();
  constexpr size_t kBlock = 64 << 20;
  {
    std::vector<char> block(kBlock, 1);
    // Half of the block: the system may count pages late.
    CHECK(current_host_bytes() - before > static_cast<int64_t>(kBlock / 2));
    CHECK(block[kBlock / 2] == 1);
  }
  CHECK(peak_host_bytes() >= before + static_cast<int64_t>(kBlock / 2));
  CHECK(peak_host_bytes() >= current_host_bytes());
}

TEST_CASE("the peak of host memory starts anew from the present size") {
  constexpr size_t kBlock = 64 << 20;
  void* block = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(block != MAP_FAILED);
  std::memset(block, 1, kBlock);
  REQUIRE(::munmap(block, kBlock) == 0);
  const int64_t peak = peak_host_bytes();
  reset_peak_host_bytes();
  CHECK(peak_host_bytes() < peak - static_cast<int64_t>(kBlock / 2));
}

TEST_CASE("a part's peak of host memory is its own, and the whole's stays") {
  constexpr size_t kBlock = 64 << 20;
  reset_peak_host_bytes();
  void* block = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(block != MAP_FAILED);
  std::memset(block, 1, kBlock);
  REQUIRE(::munmap(block, kBlock) == 0);
  const int64_t peak = peak_host_bytes();
  mark_peak_host_bytes();
  CHECK(peak_host_bytes_since_mark() < peak - static_cast<int64_t>(kBlock / 2));
  CHECK(peak_host_bytes() >= peak);
  mark_peak_host_bytes();
  CHECK(peak_host_bytes() >= peak);
  reset_peak_host_bytes();
  CHECK(peak_host_bytes() < peak - static_cast<int64_t>(kBlock / 2));
}
