#include "core/text.h"
#include "report/metric_curves.h"
#include "report/number_text.h"
#include "report/run_sections.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

using nlohmann::json;
using Metrics = std::vector<json>;

void add_series(LineChart& chart, const std::string& name, std::vector<ChartPoint> points, int color,
                int dash) {
  if (!points.empty()) chart.series.push_back({name, std::move(points), color, dash});
}

LineChart step_chart(const Metrics& metrics, const std::string& description, const std::string& y_title) {
  LineChart chart;
  chart.description = description;
  chart.x_title = "step";
  chart.y_title = y_title;
  chart.marks = phase_marks(metrics);
  return chart;
}

// What single steps measure starts anew with each phase, which has its own data and learning rates.
void break_at_phases(LineChart& chart, const Metrics& metrics) {
  for (ChartSeries& series : chart.series)
    series.borders = phase_borders(metrics);
}

std::string loss_caption(const LineChart& chart) {
  size_t gaps = 0, longest = 0;
  for (const ChartSeries& series : chart.series) {
    gaps += gap_count(series.points);
    longest = std::max(longest, series.points.size());
  }
  std::string caption;
  const size_t half = smoothing_half_width(longest);
  if (half > 0) {
    caption = concat("Faint: single steps; line: mean over ", 2 * half + 1, " steps",
                     chart.marks.empty() ? "" : " of the same phase", ". ");
  }
  if (gaps > 0) caption += concat(gaps, gaps == 1 ? " step" : " steps", " had a loss that is not finite. ");
  return caption + (chart.series.size() > 1 ? "Beside each name: the curve's last value." : "");
}

void add_loss(const Metrics& metrics, std::vector<Html>& figures) {
  LineChart chart = step_chart(metrics, "Training loss over steps", "nats per answer token");
  add_series(chart, "pictures", step_curve(metrics, "loss_picture"), 1, 0);
  add_series(chart, "text", step_curve(metrics, "loss_text"), 2, 0);
  if (chart.series.empty()) add_series(chart, "loss", step_curve(metrics, "loss"), 1, 0);
  break_at_phases(chart, metrics);
  figures.push_back(html_figure("Training loss", line_chart(chart), loss_caption(chart)));
}

void add_heldout(const Metrics& metrics, const std::string& key, const std::string& title,
                 const std::string& unit, int color, std::vector<Html>& figures) {
  LineChart chart = step_chart(metrics, title, unit);
  add_series(chart, title, nested_curve(metrics, "heldout", key), color, 0);
  figures.push_back(html_figure(title, line_chart(chart)));
}

void add_rates(const Metrics& metrics, std::vector<Html>& figures) {
  LineChart chart = step_chart(metrics, "Learning rates over steps", "");
  chart.smooth = false;
  chart.last_values = false;
  for (const std::string& group : nested_keys(metrics, "lr")) {
    const int index = static_cast<int>(chart.series.size());
    add_series(chart, group, nested_curve(metrics, "lr", group), index % kColorCount + 1, index % kDashCount);
  }
  break_at_phases(chart, metrics);
  figures.push_back(html_figure("Learning rate", line_chart(chart)));
}

void add_norm(const Metrics& metrics, std::vector<Html>& figures) {
  LineChart chart = step_chart(metrics, "Gradient norm over steps", "");
  add_series(chart, "gradient norm", step_curve(metrics, "grad_norm"), 3, 0);
  break_at_phases(chart, metrics);
  figures.push_back(html_figure("Gradient norm", line_chart(chart)));
}

void add_speed(const Metrics& metrics, std::vector<Html>& figures) {
  LineChart chart = step_chart(metrics, "Tokens per second over steps", "");
  chart.from_zero = true;
  add_series(chart, "tokens per second", step_curve(metrics, "tokens_per_second"), 3, 0);
  break_at_phases(chart, metrics);
  figures.push_back(html_figure("Tokens per second", line_chart(chart),
                                "Of single steps, without checkpoints and held-out measurements."));
}

Html heldout_table(const json& heldout) {
  const json& before = member_at(heldout, "before");
  const json& after = member_at(heldout, "after");
  if (!before.is_object() || !after.is_object()) return {};
  Table table{"", {"measure", "before", "after", "change"}, {}};
  for (const auto& [key, value] : after.items()) {
    const auto old_value = number_at(before, key), new_value = number_at(after, key);
    if (!old_value || !new_value) continue;
    std::string name = key;
    for (char& c : name)
      c = c == '_' ? ' ' : c;
    table.add_row({cell(name), cell(*old_value, 3), cell(*new_value, 3), cell(*new_value - *old_value, 3)});
  }
  return html_panel("Held-out measures", html_table(table));
}

void add_fact(const json& results, const std::string& key, const std::string& name,
              std::vector<std::pair<std::string, std::string>>& facts) {
  if (const auto value = number_at(results, key)) facts.emplace_back(name, format_metric(key, *value));
  const std::string text = text_at(results, key);
  if (!text.empty()) facts.emplace_back(name, text);
}

// 0 is what everyone expects: only samples that were not learned as they are, are worth a line.
void add_skipped(const json& results, std::vector<std::pair<std::string, std::string>>& facts) {
  for (const auto& [key, name] : {std::pair("skipped_samples", "skipped samples"),
                                  std::pair("skipped_long_samples", "skipped as too long"),
                                  std::pair("cut_samples", "samples cut to the longest allowed")}) {
    if (number_at(results, key).value_or(0) != 0) add_fact(results, key, name, facts);
  }
}

Html stage_facts(const json& results, const RunStage& stage) {
  std::vector<std::pair<std::string, std::string>> facts;
  add_fact(results, "method", "method", facts);
  add_fact(results, "steps", "steps", facts);
  add_fact(results, "trainable_parameters", "trainable parameters", facts);
  add_skipped(results, facts);
  // Losses of different phases are not comparable: phase_losses shows them.
  if (phase_borders(stage.metrics).empty()) {
    add_fact(results, "first_loss", "first loss", facts);
    add_fact(results, "last_loss", "last loss", facts);
  }
  if (const auto share = number_at(results, "codes_changed_share")) {
    facts.emplace_back("codes changed by gamma", format_decimals(100 * *share, 2) + " %");
  }
  if (stage.report) {
    facts.emplace_back("time", format_metric("seconds", stage.report->seconds));
    facts.emplace_back("tokens per second", format_short(stage.report->tokens_per_second));
  } else {
    facts.emplace_back("state", "stopped before its end");
  }
  return html_panel("", html_facts(facts));
}

Html phase_losses(const Metrics& metrics) {
  if (phase_borders(metrics).empty()) return {};
  return html_panel("Loss by phase", html_table(phase_table(metrics, "loss", "loss")));
}

}  // namespace

OptionalSection training_section(const RunFolder& run, const std::string& stage) {
  const RunStage* found = find_stage(run, stage);
  if (!found) return std::nullopt;
  const json& results = stage_results(run, stage);
  std::vector<Html> figures;
  add_loss(found->metrics, figures);
  add_heldout(found->metrics, "text_perplexity", "Held-out text perplexity", "", 2, figures);
  add_heldout(found->metrics, "picture_loss", "Held-out picture loss", "nats per answer token", 1, figures);
  add_rates(found->metrics, figures);
  add_norm(found->metrics, figures);
  add_speed(found->metrics, figures);
  Html body = stage_facts(results, *found);
  body += html_figures(figures);
  body += phase_losses(found->metrics);
  body += heldout_table(member_at(results, "heldout"));
  const bool learns = number_at(results, "steps").value_or(1) > 0;  // not where a given gamma is folded
  const std::string lead = stage == "warmup" && learns
                               ? "Gamma and projector learn from pictures and text; the weights stay."
                               : "";
  return PageSection{stage, stage_title(stage), lead, body};
}

}  // namespace qslaw
