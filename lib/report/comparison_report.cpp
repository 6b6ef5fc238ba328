#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "report/html_page.h"
#include "report/metric_curves.h"
#include "report/number_text.h"
#include "report/run_report.h"
#include "report/run_sections.h"
#include "report/svg_plot.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

using Runs = std::vector<RunFolder>;

// A run keeps its color and dash in all charts of the page.
int run_color(size_t index) {
  return static_cast<int>(index % kColorCount) + 1;
}
int run_dash(size_t index) {
  return static_cast<int>((index + index / kColorCount) % kDashCount);
}

// The score of the same benchmark and metric, or null.
const BenchmarkScore* find_score(const std::vector<BenchmarkScore>& scores, const BenchmarkScore& kind) {
  const auto it = std::find_if(scores.begin(), scores.end(), [&](const BenchmarkScore& score) {
    return score.benchmark == kind.benchmark && score.metric == kind.metric;
  });
  return it == scores.end() ? nullptr : &*it;
}

// One score of each benchmark and metric that any run has, in the order in which they are first seen.
std::vector<BenchmarkScore> score_kinds(const Runs& runs) {
  std::vector<BenchmarkScore> kinds;
  for (const RunFolder& run : runs) {
    for (const BenchmarkScore& score : benchmark_scores(run)) {
      if (!find_score(kinds, score)) kinds.push_back(score);
    }
  }
  return kinds;
}

TableCell score_cell(const std::vector<BenchmarkScore>& scores, const BenchmarkScore& kind) {
  const BenchmarkScore* score = find_score(scores, kind);
  const int decimals = kind.metric == "accuracy" ? 2 : (kind.metric == "loss" ? 4 : 3);
  return score ? cell(score->value, decimals) : empty_cell();
}

// What all names begin with, up to a separator; "" when there is no such beginning.
std::string common_prefix(const Runs& runs) {
  if (runs.size() < 2) return "";
  std::string prefix = runs[0].name;
  for (const RunFolder& run : runs) {
    const size_t longest = std::min(prefix.size(), run.name.size());
    size_t same = 0;
    while (same < longest && prefix[same] == run.name[same])
      ++same;
    prefix.resize(same);
  }
  return prefix.substr(0, prefix.find_last_of("_-./ ") + 1);
}

// Long names that differ only at their ends are hard to tell apart: the page's title takes their common
// beginning.
std::string take_common_prefix(Runs& runs) {
  const std::string prefix = common_prefix(runs);
  for (const RunFolder& run : runs) {
    if (run.name.size() == prefix.size()) return "";
  }
  for (RunFolder& run : runs)
    run.name.erase(0, prefix.size());
  return prefix.substr(0, prefix.find_last_not_of("_-./ ") + 1);
}

double bits_of(const RunFolder& run) {
  return number_at(stage_results(run, "quantize"), "bits").value_or(16);
}

// 16 bits before 4 before 2; methods of the same width stand together.
std::vector<std::pair<std::string, std::vector<size_t>>> by_bits(const Runs& runs) {
  std::map<double, std::pair<std::string, std::vector<size_t>>, std::greater<>> groups;
  for (size_t i = 0; i < runs.size(); ++i) {
    auto& group = groups[bits_of(runs[i])];
    group.first = headline(runs[i]).bits;
    group.second.push_back(i);
  }
  std::vector<std::pair<std::string, std::vector<size_t>>> out;
  for (auto& [bits, group] : groups)
    out.push_back(std::move(group));
  return out;
}

std::string method_label(const RunFolder& run) {
  const RunHeadline head = headline(run);
  return head.tuning.empty() ? head.method : head.method + ", " + head.tuning;
}

// The method where it says enough; the run's name where two runs of one width share a method.
std::string bar_label(const Runs& runs, const std::vector<size_t>& group, size_t index) {
  const auto same = [&](size_t other) { return method_label(runs[other]) == method_label(runs[index]); };
  return std::count_if(group.begin(), group.end(), same) > 1 ? runs[index].name : method_label(runs[index]);
}

Bar score_bar(const BenchmarkScore& score, const std::string& label, size_t index) {
  Bar bar{
      label, {{score.value, run_color(index), ""}}, format_metric(score.metric, score.value), std::nullopt};
  if (score.metric == "accuracy" && score.count && score.value >= 0 && score.value <= 100) {
    bar.interval = accuracy_interval(score.value, *score.count);
  }
  return bar;
}

Html score_figure(const Runs& runs, const BenchmarkScore& kind) {
  BarChart chart;
  chart.description = score_title(kind) + " by method and bits";
  const bool accuracy = kind.metric == "accuracy";
  if (accuracy) chart.maximum = 100;
  for (const auto& [bits, members] : by_bits(runs)) {
    BarGroup group{bits, {}};
    for (size_t i : members) {
      const auto scores = benchmark_scores(runs[i]);
      const BenchmarkScore* score = find_score(scores, kind);
      if (score) group.bars.push_back(score_bar(*score, bar_label(runs, members, i), i));
    }
    if (!group.bars.empty()) chart.groups.push_back(std::move(group));
  }
  const bool lower = kind.metric == "loss" || kind.metric == "perplexity";
  const std::string caption = accuracy ? "Whiskers: 95 % intervals." : (lower ? "Lower is better." : "");
  return html_figure(score_title(kind), bar_chart(chart), caption);
}

// Every number of a benchmark, one row per run, where a benchmark has more than its main one.
Table detail_table(const Runs& runs, const std::string& benchmark) {
  const std::vector<std::string> order = {"NAT", "SOC",  "LAN",   "TXT",     "IMG",
                                          "NO",  "G1-6", "G7-12", "accuracy"};
  Table table{benchmark_title(benchmark) + " in detail", {"run"}, {}};
  std::vector<std::string> keys;
  for (const std::string& key : order) {
    const auto has = [&](const RunFolder& run) {
      return number_at(member_at(stage_results(run, "eval"), benchmark), key).has_value();
    };
    if (std::any_of(runs.begin(), runs.end(), has)) keys.push_back(key);
  }
  table.columns.insert(table.columns.end(), keys.begin(), keys.end());
  for (const RunFolder& run : runs) {
    const json& metrics = member_at(stage_results(run, "eval"), benchmark);
    std::vector<TableCell> row = {cell(run.name)};
    for (const std::string& key : keys) {
      const auto value = number_at(metrics, key);
      row.push_back(value ? cell(*value, 2) : empty_cell());
    }
    table.add_row(std::move(row));
  }
  return table;
}

OptionalSection scores_section(const Runs& runs) {
  std::vector<Html> figures;
  Html details;
  for (const BenchmarkScore& kind : score_kinds(runs)) {
    figures.push_back(score_figure(runs, kind));
    const Table table = detail_table(runs, kind.benchmark);
    if (table.columns.size() > 2) details += html_panel(table.title, html_table(table));
  }
  if (figures.empty()) return std::nullopt;
  Html body = html_figures(figures);
  body += details;
  return PageSection{"accuracy", "Accuracy by method and bits", "", body};
}

template <typename Curve>
void add_overlay(const Runs& runs, const std::string& stage, const std::string& title, Curve curve,
                 std::vector<Html>& figures) {
  LineChart chart;
  chart.description = title;
  chart.x_title = "step";
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunStage* found = find_stage(runs[i], stage);
    std::vector<ChartPoint> points = found ? curve(found->metrics) : std::vector<ChartPoint>{};
    if (!points.empty()) chart.series.push_back({runs[i].name, std::move(points), run_color(i), run_dash(i)});
  }
  if (!chart.series.empty()) figures.push_back(html_figure(title, line_chart(chart)));
}

OptionalSection curves_section(const Runs& runs) {
  using Metrics = std::vector<json>;
  std::vector<Html> figures;
  add_overlay(
      runs, "tune", "Tune: training loss", [](const Metrics& m) { return step_curve(m, "loss"); }, figures);
  add_overlay(
      runs, "warmup", "Warm-up: loss on pictures",
      [](const Metrics& m) { return step_curve(m, "loss_picture"); }, figures);
  add_overlay(
      runs, "warmup", "Warm-up: loss on text", [](const Metrics& m) { return step_curve(m, "loss_text"); },
      figures);
  for (const char* stage : {"warmup", "tune"}) {
    add_overlay(
        runs, stage, stage_title(stage) + ": held-out text perplexity",
        [](const Metrics& m) { return nested_curve(m, "heldout", "text_perplexity"); }, figures);
    add_overlay(
        runs, stage, stage_title(stage) + ": held-out picture loss",
        [](const Metrics& m) { return nested_curve(m, "heldout", "picture_loss"); }, figures);
  }
  if (figures.empty()) return std::nullopt;
  return PageSection{"curves", "Loss curves", "Beside each name: the curve's last value.",
                     html_figures(figures)};
}

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

Html best_cards(const Runs& runs) {
  std::vector<Card> cards = {{"Runs", format_count(static_cast<int64_t>(runs.size())), ""}};
  const RunFolder *best = nullptr, *smallest = nullptr;
  BenchmarkScore best_score;
  double least = 0;
  for (const RunFolder& run : runs) {
    const auto scores = benchmark_scores(run);
    const bool comparable = !scores.empty() && scores[0].metric == "accuracy" &&
                            (!best || scores[0].benchmark == best_score.benchmark);
    if (comparable && (!best || scores[0].value > best_score.value)) {
      best = &run;
      best_score = scores[0];
    }
    const auto peak = static_cast<double>(headline(run).peak_bytes);
    if (peak > 0 && (!smallest || peak < least)) {
      smallest = &run;
      least = peak;
    }
  }
  if (best) {
    cards.push_back(
        {"Highest " + score_title(best_score), format_metric("accuracy", best_score.value), best->name});
  }
  if (smallest) cards.push_back({"Lowest peak memory", format_size(least), smallest->name});
  return html_cards(cards);
}

}  // namespace

Table comparison_table(const Runs& runs) {
  const auto kinds = score_kinds(runs);
  Table table{"Runs", {"run", "method", "bits", "tuning"}, {}};
  for (const BenchmarkScore& kind : kinds)
    table.columns.push_back(score_title(kind));
  for (const char* column : {"packed", "peak memory", "time"})
    table.columns.push_back(column);
  for (const RunFolder& run : runs) {
    const RunHeadline head = headline(run);
    const auto scores = benchmark_scores(run);
    std::vector<TableCell> row = {cell(run.name), cell(head.method), cell(bits_of(run), 0),
                                  head.tuning.empty() ? empty_cell() : cell(head.tuning)};
    for (const BenchmarkScore& kind : kinds)
      row.push_back(score_cell(scores, kind));
    row.push_back(head.packed_bytes ? TableCell{format_size(*head.packed_bytes), *head.packed_bytes}
                                    : empty_cell());
    row.push_back(head.peak_bytes > 0 ? bytes_cell(head.peak_bytes) : empty_cell());
    row.push_back(seconds_cell(head.seconds));
    table.add_row(std::move(row));
  }
  return table;
}

void write_comparison_report(const std::vector<fs::path>& output_folders, const fs::path& html) {
  require(!output_folders.empty(), "report", "expected at least one run's folder, got none");
  Runs runs = load_runs(output_folders);
  const std::string common = take_common_prefix(runs);
  Page page;
  page.eyebrow = "qslaw comparison";
  page.title = concat(common.empty() ? "" : common + ": ", runs.size(), runs.size() == 1 ? " run" : " runs");
  page.summary = best_cards(runs);
  page.footer = concat("qslaw ", program_version(), ", commit ", program_git());
  page.sections.push_back({"runs", "Runs", "", html_panel("", html_table(comparison_table(runs)))});
  for (OptionalSection section : {scores_section(runs), curves_section(runs)}) {
    if (section) page.sections.push_back(std::move(*section));
  }
  page.sections.push_back(
      {"memory", "Memory and time", "", html_figures({memory_figure(runs), time_figure(runs)})});
  write_file_atomic(html, html_page(page));
}

}  // namespace qslaw
