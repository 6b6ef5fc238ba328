#include <algorithm>

#include "report/number_text.h"
#include "report/run_sections.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

Table memory_table(const RunFolder& run) {
  Table table{"", {"stage", "time", "tokens per second", "peak on device", "peak on host", "device"}, {}};
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    const StageReport& report = *stage.report;
    table.add_row({cell(stage_title(stage.name)), seconds_cell(report.seconds),
                   report.tokens_per_second > 0 ? short_cell(report.tokens_per_second) : empty_cell(),
                   report.peak_device_bytes > 0 ? bytes_cell(report.peak_device_bytes) : empty_cell(),
                   bytes_cell(report.peak_host_bytes), cell(report.device)});
  }
  return table;
}

BarChart memory_chart(const RunFolder& run) {
  BarChart chart;
  chart.description = "Peak memory of each stage by kind";
  chart.legend = true;
  chart.groups.push_back({"", {}});
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    const auto parts = memory_parts(*stage.report);
    double sum = 0;
    for (const BarPart& part : parts)
      sum += part.value;
    if (sum > 0)
      chart.groups[0].bars.push_back({stage_title(stage.name), parts, format_size(sum), std::nullopt});
  }
  return chart;
}

BarChart time_chart(const RunFolder& run) {
  BarChart chart;
  chart.description = "Time of each stage";
  chart.groups.push_back({"", {}});
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    const double seconds = stage.report->seconds;
    chart.groups[0].bars.push_back(
        {stage_title(stage.name), {{seconds, 1, ""}}, format_metric("seconds", seconds), std::nullopt});
  }
  return chart;
}

}  // namespace

std::vector<BarPart> memory_parts(const StageReport& report) {
  const MemoryByKind& memory = report.memory;
  const auto size = [](int64_t bytes) { return static_cast<double>(std::max<int64_t>(0, bytes)); };
  std::vector<BarPart> parts = {{size(memory.weights), 1, "weights"},
                                {size(memory.activations), 2, "activations"},
                                {size(memory.optimizer), 3, "optimizer"},
                                {size(memory.gradients), 4, "gradients"}};
  double known = 0;
  for (const BarPart& part : parts)
    known += part.value;
  parts.push_back({std::max(0.0, size(stage_peak_bytes(report)) - known), 8, "everything else"});
  return parts;
}

OptionalSection memory_section(const RunFolder& run) {
  const Table table = memory_table(run);
  if (table.rows.empty()) return std::nullopt;
  Html body =
      html_figures({html_figure("Peak memory by kind", bar_chart(memory_chart(run)),
                                "Of the device where one was used, else of the host. \"Everything else\" is "
                                "the rest of the measured "
                                "peak: libraries, workspace, unused parts of the allocator's blocks."),
                    html_figure("Time by stage", bar_chart(time_chart(run)))});
  body += html_panel("", html_table(table));
  return PageSection{"memory", "Memory and time", "", body};
}

}  // namespace qslaw
