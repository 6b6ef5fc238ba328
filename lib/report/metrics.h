// metrics.jsonl: one JSON object per optimizer step or held-out measurement (docs/formats.md).
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace qslaw {

/// Appends lines to a stage's metrics.jsonl. A line is handed to the system with one write, so a killed
/// process loses none; what a power cut can take is bounded by a sync every second and by sync().
class MetricsWriter {
 public:
  /// Steps count from 1. `done_steps` = 0 begins the file anew; N > 0 goes on after step N: lines of later
  /// steps, which will be done again, and a last line cut by a kill are dropped. The folder must exist.
  /// UserError when the file cannot be written or is malformed.
  MetricsWriter(const std::filesystem::path& path, int64_t done_steps);
  /// Syncs; a failure is only logged here.
  ~MetricsWriter();
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  /// Appends `line`, an object with a whole number "step". Numbers that are not finite become null.
  void write(const nlohmann::json& line);

  /// Everything written so far survives a power cut. Call it before a checkpoint is made final.
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::chrono::steady_clock::time_point synced_;
};

/// The lines of a metrics.jsonl in file order; none when there is no file. A last line cut by a kill is left
/// out. UserError with the line number for any other malformed line.
std::vector<nlohmann::json> read_metrics(const std::filesystem::path& path);

}  // namespace qslaw
