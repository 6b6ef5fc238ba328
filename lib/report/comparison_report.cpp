#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "report/comparison_sections.h"
#include "report/missing_predictions.h"
#include "report/number_text.h"
#include "report/recipe_differences.h"
#include "report/run_report.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

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

std::string column_title(const Runs& runs, const BenchmarkScore& kind) {
  return score_title(kind) + (measured_differently(runs, kind.benchmark).empty() ? "" : " (not comparable)");
}

// On the console too, where the page is not looked at.
void warn(const Runs& runs) {
  for (const BenchmarkScore& kind : score_kinds(runs)) {
    const std::string difference = measured_differently(runs, kind.benchmark);
    if (!difference.empty()) {
      log_warning(concat("report: ", score_title(kind),
                         " of these runs is not comparable: measured with different ", difference));
    }
  }
  for (const RunFolder& run : runs) {
    for (const auto& [stage, reason] : run.left_out)
      log_warning(concat("report: ", run.name, ": ", stage, ": ", reason));
    for (const std::string& gap : missing_predictions(run))
      log_warning(concat("report: ", run.name, ": ", gap));
  }
}

TableCell name_cell(const RunFolder& run) {
  const std::string unfinished = unfinished_note(run);
  return cell(unfinished.empty() ? run.name : concat(run.name, " (", unfinished, ")"));
}

OptionalSection differences_section(const Runs& runs) {
  const Table table = recipe_differences(runs);
  if (table.rows.empty()) return std::nullopt;
  return PageSection{"differences", "What differs", "The recipes' keys whose values are not the same.",
                     html_panel("", html_table(table))};
}

}  // namespace

Table comparison_table(const Runs& runs) {
  const auto kinds = score_kinds(runs);
  Table table{"Runs", {"run", "method", "bits", "tuning"}, {}};
  for (const BenchmarkScore& kind : kinds)
    table.columns.push_back(column_title(runs, kind));
  for (const char* column : {"packed", "peak memory", "time"})
    table.columns.push_back(column);
  for (const RunFolder& run : runs) {
    const RunHeadline head = headline(run);
    const auto scores = benchmark_scores(run);
    std::vector<TableCell> row = {name_cell(run), cell(head.method), cell(run_bits(run), 0),
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
  warn(runs);
  const std::string common = take_common_prefix(runs);
  Page page;
  page.eyebrow = "qslaw comparison";
  page.title = concat(common.empty() ? "" : common + ": ", runs.size(), runs.size() == 1 ? " run" : " runs");
  page.summary = best_cards(runs);
  page.footer = concat("qslaw ", program_version(), ", commit ", program_git());
  page.sections.push_back({"runs", "Runs", "", html_panel("", html_table(comparison_table(runs)))});
  for (OptionalSection section :
       {differences_section(runs), scores_section(runs), curves_section(runs), costs_section(runs)}) {
    if (section) page.sections.push_back(std::move(*section));
  }
  write_file_atomic(html, html_page(page));
}

}  // namespace qslaw
