#include "report/stage_table.h"

#include "core/text.h"
#include "report/metric_curves.h"

namespace qslaw {
namespace {

void add_result(const std::string& key, const nlohmann::json& value, Table& table) {
  if (value.is_number()) table.add_row({cell(key), metric_cell(key, value)});
  if (value.is_string()) table.add_row({cell(key), cell(value.get<std::string>())});
  if (value.is_object() && value.contains("path"))
    table.add_row({cell(key), cell(value["path"].get<std::string>())});
}

}  // namespace

Table stage_table(const StageReport& report, const std::vector<nlohmann::json>& metrics) {
  Table table{report.stage, {"what", "value"}, {}};
  table.add_row({cell("time"), seconds_cell(report.seconds)});
  table.add_row({cell("peak host memory"), bytes_cell(report.peak_host_bytes)});
  const Table phases = phase_table(metrics, "loss", "loss");
  for (const auto& [key, value] : report.results.items()) {
    const bool is_loss = key == "first_loss" || key == "last_loss";
    if (!is_loss || phases.rows.size() < 2) {
      add_result(key, value, table);
      continue;
    }
    for (const auto& phase : phases.rows)
      table.add_row({cell(concat(key, ", ", phase[0].text)), phase[key == "first_loss" ? 2 : 3]});
  }
  return table;
}

}  // namespace qslaw
