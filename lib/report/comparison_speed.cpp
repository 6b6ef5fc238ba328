#include <algorithm>
#include <set>

#include "core/text.h"
#include "report/chart_series.h"
#include "report/comparison_sections.h"
#include "report/metric_curves.h"
#include "report/number_text.h"

using nlohmann::json;

namespace qslaw {
namespace {

TableCell number_cell(std::optional<double> value) {
  return value ? short_cell(*value) : empty_cell();
}

// Steps that waited for the disk or another process must not count: hence no mean.
std::optional<double> median_of_steps(const RunStage& stage, const std::string& key) {
  std::vector<double> values;
  for (const ChartPoint& point : step_curve(stage.metrics, key))
    values.push_back(point.y);
  if (values.empty()) return std::nullopt;
  return value_at_share(std::move(values), 0.5);
}

std::string devices(const RunFolder& run) {
  std::set<std::string> names;
  for (const RunStage& stage : run.stages) {
    if (stage.report && !stage.report->device.empty()) names.insert(stage.report->device);
  }
  return join({names.begin(), names.end()});
}

void add_training(const Runs& runs, const std::string& stage, Table& table) {
  const std::string title = stage_title(stage);
  for (const char* column : {" time", " peak memory", " s per step", " tokens/s"})
    table.columns.push_back(title + column);
  for (size_t i = 0; i < runs.size(); ++i) {
    auto& row = table.rows[i];
    const RunStage* found = find_stage(runs[i], stage);
    const bool finished = found && found->report;
    row.push_back(finished ? seconds_cell(found->report->seconds) : empty_cell());
    row.push_back(finished ? bytes_cell(stage_peak_bytes(*found->report)) : empty_cell());
    for (const char* key : {"step_s", "tokens_per_second"})
      row.push_back(found ? number_cell(median_of_steps(*found, key)) : empty_cell());
  }
}

std::vector<std::string> speed_benchmarks(const Runs& runs) {
  std::set<std::string> names;
  for (const RunFolder& run : runs) {
    for (const auto& [name, metrics] : stage_results(run, "eval").items()) {
      if (number_at(metrics, "decode_tokens_per_second")) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

void add_generation(const Runs& runs, const std::string& benchmark, Table& table) {
  const std::string doubt = measured_differently(runs, benchmark).empty() ? "" : " (not comparable)";
  for (const char* kind : {"prefill", "decode"}) {
    table.columns.push_back(concat(benchmark_title(benchmark), ": ", kind, " tokens/s", doubt));
    for (size_t i = 0; i < runs.size(); ++i) {
      const json& metrics = member_at(stage_results(runs[i], "eval"), benchmark);
      table.rows[i].push_back(number_cell(number_at(metrics, concat(kind, "_tokens_per_second"))));
    }
  }
}

}  // namespace

Table speed_table(const Runs& runs) {
  Table table{"", {"run", "device"}, {}};
  for (const RunFolder& run : runs)
    table.rows.push_back({cell(run.name), cell(devices(run))});
  for (const char* stage : {"warmup", "tune"})
    add_training(runs, stage, table);
  for (const std::string& benchmark : speed_benchmarks(runs))
    add_generation(runs, benchmark, table);
  const bool measured = std::any_of(table.rows.begin(), table.rows.end(), [](const auto& row) {
    return std::any_of(row.begin() + 2, row.end(), [](const TableCell& one) { return !one.text.empty(); });
  });
  if (!measured) table.rows.clear();
  return table;
}

}  // namespace qslaw
