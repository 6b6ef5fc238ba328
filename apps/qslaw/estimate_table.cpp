#include "estimate_table.h"

namespace qslaw {
namespace {

std::vector<TableCell> needs_row(const StageNeeds& needs) {
  const StageEstimate& memory = needs.memory;
  return {cell(needs.stage),
          bytes_cell(memory.weights),
          bytes_cell(memory.optimizer),
          bytes_cell(memory.gradients),
          bytes_cell(memory.activations),
          bytes_cell(memory.total()),
          bytes_cell(needs.disk.results),
          bytes_cell(needs.disk.checkpoints),
          memory.steps > 0 ? count_cell(memory.steps) : empty_cell()};
}

}  // namespace

Table estimate_table(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                     const std::vector<StageTime>& times) {
  Table table{
      concat("Estimated peak memory, disk", times.empty() ? "" : " and time", " on ",
             experiment.device.str()),
      {"stage", "weights", "optimizer", "gradients", "activations", "peak", "disk", "checkpoints", "steps"},
      {}};
  if (!times.empty()) table.columns.insert(table.columns.end(), {"time", "time from"});
  for (size_t i = 0; i < needs.size(); ++i) {
    std::vector<TableCell> row = needs_row(needs[i]);
    if (!times.empty()) row.insert(row.end(), {seconds_cell(times[i].seconds), cell(times[i].from)});
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace qslaw
