// --dry-run: everything that can be checked without computing, the complete recipe, and what each stage will
// need.
#include <iostream>

#include "commands.h"
#include "core/log.h"
#include "eval/question_kinds.h"
#include "preflight.h"
#include "report/table.h"
#include "stage_needs.h"
#include "stage_times.h"

namespace qslaw {
namespace {

void add_estimate(Table& table, const StageNeeds& needs, const StageTime& time) {
  const StageEstimate& memory = needs.memory;
  table.add_row({cell(needs.stage), bytes_cell(memory.weights), bytes_cell(memory.optimizer),
                 bytes_cell(memory.gradients), bytes_cell(memory.activations), bytes_cell(memory.total()),
                 bytes_cell(needs.disk.results), bytes_cell(needs.disk.checkpoints),
                 memory.steps > 0 ? count_cell(memory.steps) : empty_cell(), seconds_cell(time.seconds),
                 cell(time.from)});
}

Table status_table(const std::vector<StageStatus>& statuses) {
  Table table{"Stages", {"stage", "status"}, {}};
  for (const StageStatus& status : statuses)
    table.add_row({cell(status.stage), cell(status.text)});
  return table;
}

Table estimate_table(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                     const LlavaConfig& config) {
  Table table{"Estimated peak memory, disk and time on " + experiment.device.str(),
              {"stage", "weights", "optimizer", "gradients", "activations", "peak", "disk", "checkpoints",
               "steps", "time", "time from"},
              {}};
  if (needs.empty()) return table;
  const double flops_per_second = probe_flops(experiment);
  for (const StageNeeds& stage : needs)
    add_estimate(table, stage, estimate_time(experiment, stage, config, flops_per_second));
  return table;
}

void print_plan(const std::string& recipe, const std::vector<Table>& tables) {
  std::cout << recipe;
  for (const Table& table : tables) {
    if (!table.rows.empty()) std::cout << "\n" << table_text(table);
  }
  std::cout << std::endl;
}

}  // namespace

void command_dry_run(const CommandOptions& options, const std::string& only) {
  const Experiment experiment = open_experiment(options);
  const KeptQuestions by_inputs_and_checks;
  const Preflight found = check_before_start(experiment, only);
  const std::vector<StageNeeds> needs = find_needs(experiment, found.stages, found.config);
  // What does not fit only warns: the recipe may be meant for another machine.
  for (const NeedsProblem& problem : needs_problems(experiment, needs))
    log_warning(problem.text);
  const Table estimates = estimate_table(experiment, needs, found.config);
  const Table status = status_table(found.stages);
  const std::string recipe = recipe_yaml(experiment.recipe);
  if (options.json) {
    std::cout << nlohmann::json{{"recipe", recipe},
                                {"stages", table_json(status)},
                                {"estimate", table_json(estimates)}}
                     .dump()
              << std::endl;
  } else {
    print_plan(recipe, {status, estimates});
  }
  require_no_problem(found.stages);
}

}  // namespace qslaw
