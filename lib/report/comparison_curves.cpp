#include "report/comparison_sections.h"
#include "report/metric_curves.h"
#include "report/svg_plot.h"

using nlohmann::json;

namespace qslaw {
namespace {

// `phased`: of single steps, which start anew with each phase of a run.
template <typename Curve>
void add_overlay(const Runs& runs, const std::string& stage, const std::string& title, bool phased,
                 Curve curve, std::vector<Html>& figures) {
  LineChart chart;
  chart.description = title;
  chart.x_title = "step";
  chart.names_lone = true;
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunStage* found = find_stage(runs[i], stage);
    std::vector<ChartPoint> points = found ? curve(found->metrics) : std::vector<ChartPoint>{};
    if (points.empty()) continue;
    chart.series.push_back({runs[i].name, std::move(points), run_color(i), run_dash(i)});
    if (phased) chart.series.back().borders = phase_borders(found->metrics);
  }
  if (!chart.series.empty()) figures.push_back(html_figure(title, line_chart(chart)));
}

}  // namespace

OptionalSection curves_section(const Runs& runs) {
  using Metrics = std::vector<json>;
  std::vector<Html> figures;
  add_overlay(
      runs, "tune", "Tune: training loss", true, [](const Metrics& m) { return step_curve(m, "loss"); },
      figures);
  add_overlay(
      runs, "warmup", "Warm-up: loss on pictures", true,
      [](const Metrics& m) { return step_curve(m, "loss_picture"); }, figures);
  add_overlay(
      runs, "warmup", "Warm-up: loss on text", true,
      [](const Metrics& m) { return step_curve(m, "loss_text"); }, figures);
  for (const char* stage : {"warmup", "tune"}) {
    add_overlay(
        runs, stage, stage_title(stage) + ": held-out text perplexity", false,
        [](const Metrics& m) { return nested_curve(m, "heldout", "text_perplexity"); }, figures);
    add_overlay(
        runs, stage, stage_title(stage) + ": held-out picture loss", false,
        [](const Metrics& m) { return nested_curve(m, "heldout", "picture_loss"); }, figures);
  }
  if (figures.empty()) return std::nullopt;
  return PageSection{"curves", "Loss curves", "Beside each name: the curve's last value.",
                     html_figures(figures)};
}

}  // namespace qslaw
