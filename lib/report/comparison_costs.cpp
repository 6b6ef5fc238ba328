#include "report/comparison_sections.h"
#include "report/number_text.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

Html memory_figure(const Runs& runs) {
  BarChart chart;
  chart.description = "Peak memory by stage, run and kind";
  chart.legend = true;
  for (const char* stage : {"quantize", "warmup", "tune", "eval"}) {
    BarGroup group{stage_title(stage), {}};
    for (const RunFolder& run : runs) {
      const RunStage* found = find_stage(run, stage);
      if (!found || !found->report) continue;
      const auto parts = memory_parts(*found->report);
      double sum = 0;
      for (const BarPart& part : parts)
        sum += part.value;
      group.bars.push_back({run.name, parts, format_size(sum), std::nullopt});
    }
    if (!group.bars.empty()) chart.groups.push_back(std::move(group));
  }
  return html_figure("Peak memory by kind", bar_chart(chart));
}

Html time_figure(const Runs& runs) {
  BarChart chart;
  chart.description = "Time by stage and run";
  for (const char* stage : {"quantize", "warmup", "tune", "eval"}) {
    BarGroup group{stage_title(stage), {}};
    for (size_t i = 0; i < runs.size(); ++i) {
      const RunStage* found = find_stage(runs[i], stage);
      if (!found || !found->report) continue;
      const double seconds = found->report->seconds;
      group.bars.push_back(
          {runs[i].name, {{seconds, run_color(i), ""}}, format_metric("seconds", seconds), std::nullopt});
    }
    if (!group.bars.empty()) chart.groups.push_back(std::move(group));
  }
  return html_figure("Time by stage", bar_chart(chart));
}

}  // namespace

OptionalSection costs_section(const Runs& runs) {
  Html body = html_figures({memory_figure(runs), time_figure(runs)});
  if (body.code.empty()) return std::nullopt;
  body += html_panel("Training and generation", html_table(speed_table(runs)));
  return PageSection{"memory", "Memory, time and speed",
                     "Of training, seconds per step and tokens per second are the median of its steps.",
                     body};
}

}  // namespace qslaw
