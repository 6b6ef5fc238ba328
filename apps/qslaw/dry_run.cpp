// --dry-run: everything that can be checked without running a stage, the complete recipe, and what each stage
// will need, of which omniquant's time is measured on a step of one block.
#include <iostream>

#include "commands.h"
#include "core/log.h"
#include "estimate_table.h"
#include "eval/question_kinds.h"
#include "preflight.h"
#include "stage_needs.h"

namespace qslaw {
namespace {

Table status_table(const std::vector<StageStatus>& statuses) {
  Table table{"Stages", {"stage", "status"}, {}};
  for (const StageStatus& status : statuses)
    table.add_row({cell(status.stage), cell(status.text)});
  return table;
}

Table timed_estimates(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                      const LlavaConfig& config) {
  std::vector<StageTime> times;
  const double flops_per_second = needs.empty() ? 0.0 : probe_flops(experiment);
  for (const StageNeeds& stage : needs)
    times.push_back(estimate_time(experiment, stage, config, flops_per_second));
  return estimate_table(experiment, needs, times);
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
  const Table estimates = timed_estimates(experiment, needs, found.config);
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
