// report.json: what a finished stage says about itself (docs/formats.md). Its presence marks the stage as
// done.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace qslaw {

/// Peak bytes by kind, on the device the stage ran on.
struct MemoryByKind {
  int64_t weights = 0;
  int64_t optimizer = 0;
  int64_t gradients = 0;
  int64_t activations = 0;
};

/// The fields of report.json. Times in seconds, sizes in bytes.
struct StageReport {
  std::string stage;  // quantize, warmup, tune, eval or export
  std::string name;   // the recipe's name
  std::string status = "complete";
  std::string version;      // filled by new_stage_report
  std::string git;          // filled by new_stage_report
  std::string device;       // "cpu", or the accelerator's name
  std::string fingerprint;  // hash of the stage's inputs; equal means the stage need not run again
  uint64_t seed = 0;
  double seconds = 0;
  double tokens_per_second = 0;
  int64_t peak_host_bytes = 0;
  int64_t peak_device_bytes = 0;  // 0 on the CPU
  MemoryByKind memory;
  nlohmann::json results = nlohmann::json::object();
  std::map<std::string, std::string> files;  // file name -> SHA-256
};

/// The program's version ("0.1.0") and the commit it was built from ("unknown" outside of git).
std::string program_version();
std::string program_git();

/// A report with stage, name, version and commit filled in.
StageReport new_stage_report(const std::string& stage, const std::string& name);

/// Writes `folder`/report.json atomically. Call it last: a reader takes its presence for a finished stage.
/// Numbers in `results` that are not finite become null.
void write_stage_report(const std::filesystem::path& folder, const StageReport& report);

/// Reads `folder`/report.json. UserError naming the file and the key when it is missing or malformed.
StageReport read_stage_report(const std::filesystem::path& folder);

/// The stages in the order in which `run` does them.
const std::vector<std::string>& stage_names();
/// Those that later ones build on.
bool leaves_model(const std::string& stage);

/// `folder`/report.json, if it is there and says "complete". UserError when it is malformed.
std::optional<StageReport> complete_report(const std::filesystem::path& folder);
/// Whether it is and does.
bool is_stage_complete(const std::filesystem::path& folder);

}  // namespace qslaw
