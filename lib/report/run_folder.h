// What a run left in its output folder, read for the reports.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/stage_report.h"

namespace qslaw {

/// One stage's folder. A stage that was stopped has metrics but no report.
struct RunStage {
  std::string name;
  std::filesystem::path folder;
  std::optional<StageReport> report;
  std::vector<nlohmann::json> metrics;
  std::string recipe;  // recipe.yaml as text; empty when there is none
};

struct RunFolder {
  std::filesystem::path path;
  std::string name;              // the recipe's name, or the folder's
  std::vector<RunStage> stages;  // those that left a report or metrics, in the order of `qslaw run`
  // Stages whose results are another model's, as one before them was done again or is unfinished; and why.
  std::vector<std::pair<std::string, std::string>> left_out;
  // Stages that began and did not end, by name, whether or not they left metrics.
  std::vector<std::string> unfinished;
};

/// Reads `path`/{quantize,warmup,tune,eval,export}. UserError when no stage left anything, `path` is itself a
/// stage's folder, or a file is malformed.
RunFolder load_run(const std::filesystem::path& path);

/// The runs of several folders. Runs of the same name are named by their folders instead, with as many of the
/// folders above as tell them apart. Of several, those that cannot be read are left out with a warning.
/// UserError when none can be read, or a folder is not there. REQUIRES: at least one.
std::vector<RunFolder> load_runs(const std::vector<std::filesystem::path>& paths);

/// The stage, or null.
const RunStage* find_stage(const RunFolder& run, const std::string& stage);

/// The `results` of a finished stage, or JSON null.
const nlohmann::json& stage_results(const RunFolder& run, const std::string& stage);

/// The resolved recipe of the last stage that has one; "" without.
std::string run_recipe(const RunFolder& run);

/// A benchmark's main number.
struct BenchmarkScore {
  std::string benchmark;
  std::string metric;
  double value = 0;
  std::optional<int64_t> count;                       // of samples
  std::optional<std::pair<double, double>> interval;  // 95 %, in the metric's unit
};

/// The main number of each benchmark of `eval` that has one: accuracy before other scores. Speed has none.
std::vector<BenchmarkScore> benchmark_scores(const RunFolder& run);

/// Wilson's 95 % interval of an accuracy in percent. REQUIRES: count > 0, 0 <= percent <= 100.
std::pair<double, double> accuracy_interval(double percent, int64_t count);

/// The 95 % interval of a benchmark's metric: the result's own (`<metric>_low` and `_high`), or Wilson's for
/// an accuracy of a result that has none, as earlier versions wrote of right and wrong answers. None where
/// there is neither.
std::optional<std::pair<double, double>> score_interval(const nlohmann::json& metrics,
                                                        const std::string& metric);

/// "tune unfinished", "" for a run whose stages all ended.
std::string unfinished_note(const RunFolder& run);

/// A run in one line, by its finished stages.
struct RunHeadline {
  std::string method;  // "omniquant + QSLAW warm-up", "not quantized"
  std::string bits;    // "4 bits", "16 bits" when not quantized
  int64_t group_size = 0;
  std::string tuning;  // "lora", "" when not tuned
  std::optional<double> packed_bytes, dense_bytes;
  int64_t peak_bytes =
      0;  // the highest of all stages, of the device's memory if one was used, else the host's
  std::string peak_stage;
  bool on_device = false;
  double seconds = 0;  // of all finished stages
};

RunHeadline headline(const RunFolder& run);

/// The stage's peak on the device it ran on: device memory if any, else host memory.
int64_t stage_peak_bytes(const StageReport& report);

/// "Quantize", "Warm-up", ... for a stage's name.
std::string stage_title(const std::string& stage);

}  // namespace qslaw
