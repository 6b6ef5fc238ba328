#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/text.h"
#include "report/comparison_sections.h"
#include "report/number_text.h"
#include "report/svg_plot.h"

using nlohmann::json;

namespace qslaw {
namespace {

// 16 bits before 4 before 2; methods of the same width stand together.
std::vector<std::pair<std::string, std::vector<size_t>>> by_bits(const Runs& runs) {
  std::map<double, std::pair<std::string, std::vector<size_t>>, std::greater<>> groups;
  for (size_t i = 0; i < runs.size(); ++i) {
    auto& group = groups[run_bits(runs[i])];
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

// Methods are labels enough where no two runs of one width share one; else all bars have their runs' names.
bool are_methods_unique(const Runs& runs) {
  std::set<std::pair<double, std::string>> seen;
  return std::all_of(runs.begin(), runs.end(), [&](const RunFolder& run) {
    return seen.emplace(run_bits(run), method_label(run)).second;
  });
}

Bar score_bar(const BenchmarkScore& score, const std::string& label, size_t index) {
  Bar bar{
      label, {{score.value, run_color(index), ""}}, format_metric(score.metric, score.value), std::nullopt};
  bar.interval = score.interval;
  return bar;
}

Html score_figure(const Runs& runs, const BenchmarkScore& kind) {
  BarChart chart;
  chart.description = score_title(kind) + " by method and bits";
  if (kind.metric == "accuracy") chart.maximum = 100;
  bool has_intervals = false;
  size_t bars = 0;
  const bool by_method = are_methods_unique(runs);
  for (const auto& [bits, members] : by_bits(runs)) {
    BarGroup group{bits, {}};
    for (size_t i : members) {
      const auto scores = benchmark_scores(runs[i]);
      const BenchmarkScore* score = find_score(scores, kind);
      if (!score) continue;
      has_intervals = has_intervals || score->interval;
      ++bars;
      group.bars.push_back(score_bar(*score, by_method ? method_label(runs[i]) : runs[i].name, i));
    }
    if (!group.bars.empty()) chart.groups.push_back(std::move(group));
  }
  // One bar compares nothing: the number stands in the table of the runs.
  if (bars < 2) return {};
  const bool lower = kind.metric == "loss" || kind.metric == "perplexity";
  std::vector<std::string> caption;
  if (lower) caption.emplace_back("Lower is better.");
  if (has_intervals) caption.emplace_back("Whiskers: 95 % intervals.");
  const std::string difference = measured_differently(runs, kind.benchmark);
  if (!difference.empty())
    caption.push_back(concat("Not comparable: measured with different ", difference, "."));
  return html_figure(score_title(kind), bar_chart(chart), join(caption, " "));
}

// Every number of a benchmark, one row per run that has it, where a benchmark has more than its main one.
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
    if (metrics.is_null()) continue;
    std::vector<TableCell> row = {cell(run.name)};
    for (const std::string& key : keys) {
      const auto value = number_at(metrics, key);
      row.push_back(value ? cell(*value, 2) : empty_cell());
    }
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace

OptionalSection scores_section(const Runs& runs) {
  std::vector<Html> figures;
  Html details;
  for (const BenchmarkScore& kind : score_kinds(runs)) {
    figures.push_back(score_figure(runs, kind));
    const Table table = detail_table(runs, kind.benchmark);
    if (table.columns.size() > 2) details += html_panel(table.title, html_table(table));
  }
  Html body = html_figures(figures);
  body += details;
  if (body.code.empty()) return std::nullopt;
  return PageSection{"accuracy", "Accuracy by method and bits", "", body};
}

}  // namespace qslaw
