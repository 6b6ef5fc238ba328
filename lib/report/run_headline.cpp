#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/text.h"
#include "report/number_text.h"
#include "report/run_folder.h"

using nlohmann::json;

namespace qslaw {
namespace {

bool is_finished(const RunFolder& run, const std::string& stage) {
  const RunStage* found = find_stage(run, stage);
  return found && found->report;
}

void describe_quantization(const RunFolder& run, RunHeadline& head) {
  const json& results = stage_results(run, "quantize");
  const auto bits = number_at(results, "bits");
  head.method = text_at(results, "method", results.is_null() ? "not quantized" : "quantized");
  head.bits = bits ? format_short(*bits) + (*bits == 1 ? " bit" : " bits") : "16 bits";
  head.group_size = static_cast<int64_t>(std::clamp(number_at(results, "group_size").value_or(0), -1.0, 1e9));
  head.packed_bytes = number_at(results, "packed_bytes");
  head.dense_bytes = number_at(results, "dense_bytes");
  if (is_finished(run, "warmup")) head.method += " + QSLAW warm-up";
}

}  // namespace

int64_t stage_peak_bytes(const StageReport& report) {
  return report.peak_device_bytes > 0 ? report.peak_device_bytes : report.peak_host_bytes;
}

RunHeadline headline(const RunFolder& run) {
  RunHeadline head;
  describe_quantization(run, head);
  head.tuning = text_at(stage_results(run, "tune"), "method");
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    head.on_device = head.on_device || stage.report->peak_device_bytes > 0;
    if (std::isfinite(stage.report->seconds)) head.seconds += stage.report->seconds;
  }
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    const int64_t peak = head.on_device ? stage.report->peak_device_bytes : stage.report->peak_host_bytes;
    if (peak <= head.peak_bytes) continue;
    head.peak_bytes = peak;
    head.peak_stage = stage.name;
  }
  return head;
}

std::string stage_title(const std::string& stage) {
  if (stage == "warmup") return "Warm-up";
  if (stage == "eval") return "Evaluation";
  std::string title = stage;
  if (!title.empty()) title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
  return title;
}

std::string unfinished_note(const RunFolder& run) {
  return run.unfinished.empty() ? "" : join(run.unfinished) + " unfinished";
}

}  // namespace qslaw
