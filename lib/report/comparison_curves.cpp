#include "core/text.h"
#include "report/comparison_sections.h"
#include "report/metric_curves.h"
#include "report/recipe_differences.h"
#include "report/svg_plot.h"

using nlohmann::json;

namespace qslaw {
namespace {

struct Overlay {
  std::string stage;
  std::string title;
  bool phased = false;      // of single steps, which start anew with each phase of a run
  std::string heldout_set;  // whose loss it is, "text" or "pictures"; "" of training
};

// Losses on other samples share an axis all the same, as the sets may differ in little; so the reader is
// told.
std::string heldout_doubt(const Overlay& overlay, const std::vector<std::string>& recipes) {
  if (overlay.heldout_set.empty()) return "";
  const std::string difference =
      section_differences(recipes, {overlay.stage, "heldout", overlay.heldout_set});
  return difference.empty() ? "" : concat("Not comparable: other held-out sets, different ", difference, ".");
}

template <typename Curve>
void add_overlay(const Runs& runs, const Overlay& overlay, Curve curve, std::vector<Html>& figures) {
  LineChart chart;
  chart.description = overlay.title;
  chart.x_title = "step";
  chart.names_lone = true;
  std::vector<std::string> recipes;  // of the runs that are drawn
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunStage* found = find_stage(runs[i], overlay.stage);
    std::vector<ChartPoint> points = found ? curve(found->metrics) : std::vector<ChartPoint>{};
    if (points.empty()) continue;
    chart.series.push_back({runs[i].name, std::move(points), run_color(i), run_dash(i)});
    recipes.push_back(found->recipe);
    if (overlay.phased) chart.series.back().borders = phase_borders(found->metrics);
  }
  if (!chart.series.empty())
    figures.push_back(html_figure(overlay.title, line_chart(chart), heldout_doubt(overlay, recipes)));
}

}  // namespace

OptionalSection curves_section(const Runs& runs) {
  using Metrics = std::vector<json>;
  std::vector<Html> figures;
  for (const auto& [overlay, key] :
       {std::pair<Overlay, std::string>{{"tune", "Tune: training loss", true, ""}, "loss"},
        {{"warmup", "Warm-up: loss on pictures", true, ""}, "loss_picture"},
        {{"warmup", "Warm-up: loss on text", true, ""}, "loss_text"}}) {
    add_overlay(
        runs, overlay, [key = key](const Metrics& m) { return step_curve(m, key); }, figures);
  }
  for (const char* stage : {"warmup", "tune"}) {
    const std::string title = stage_title(stage);
    add_overlay(
        runs, {stage, title + ": held-out text perplexity", false, "text"},
        [](const Metrics& m) { return nested_curve(m, "heldout", "text_perplexity"); }, figures);
    add_overlay(
        runs, {stage, title + ": held-out picture loss", false, "pictures"},
        [](const Metrics& m) { return nested_curve(m, "heldout", "picture_loss"); }, figures);
  }
  if (figures.empty()) return std::nullopt;
  return PageSection{"curves", "Loss curves", "Beside each name: the curve's last value.",
                     html_figures(figures)};
}

}  // namespace qslaw
