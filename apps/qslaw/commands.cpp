#include "commands.h"

#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "eval/question_kinds.h"
#include "preflight.h"
#include "refused_memory.h"
#include "report/layer_errors.h"
#include "report/metrics.h"
#include "report/run_report.h"
#include "report/stage_table.h"
#include "stage_needs.h"
#include "stages.h"

namespace qslaw {
namespace {

const char* const kReportPage = "report.html";

// In the metrics' order, but the upper end of an interval behind its lower one.
std::vector<std::string> metric_names(const nlohmann::json& metrics) {
  const auto other_end = [&](const std::string& name, std::string_view end, const char* other) {
    if (!name.ends_with(end)) return std::string();
    const std::string found = name.substr(0, name.size() - end.size()) + other;
    return metrics.contains(found) ? found : std::string();
  };
  std::vector<std::string> names;
  for (const auto& item : metrics.items()) {
    const std::string& name = item.key();
    if (!other_end(name, "_high", "_low").empty()) continue;
    names.push_back(name);
    const std::string high = other_end(name, "_low", "_high");
    if (!high.empty()) names.push_back(high);
  }
  return names;
}

// One row per benchmark and metric, but ScienceQA's columns side by side as they are published.
std::vector<Table> eval_tables(const nlohmann::json& results) {
  static const std::vector<std::string> subsets = {"NAT", "SOC",  "LAN",   "TXT",     "IMG",
                                                   "NO",  "G1-6", "G7-12", "accuracy"};
  Table others{"Results", {"benchmark", "metric", "value"}, {}};
  Table scienceqa{"ScienceQA, percent",
                  {"benchmark", "NAT", "SOC", "LAN", "TXT", "IMG", "NO", "G1-6", "G7-12", "Avg", "n"},
                  {}};
  for (const auto& [name, metrics] : results.items()) {
    if (metrics.contains("NAT")) {
      std::vector<TableCell> row = {cell(name)};
      for (const auto& subset : subsets) {
        row.push_back(metrics.at(subset).is_null() ? empty_cell()
                                                   : cell(metrics.at(subset).get<double>(), 2));
      }
      row.push_back(count_cell(metrics.at("n")));
      scienceqa.add_row(row);
      continue;
    }
    for (const std::string& metric : metric_names(metrics)) {
      const nlohmann::json& value = metrics.at(metric);
      if (value.is_number() || value.is_null())
        others.add_row({cell(name), cell(metric), metric_cell(metric, value)});
      if (value.is_string()) others.add_row({cell(name), cell(metric), cell(value.get<std::string>())});
    }
  }
  std::vector<Table> tables;
  for (const Table& table : {scienceqa, others}) {
    if (!table.rows.empty()) tables.push_back(table);
  }
  return tables;
}

nlohmann::json report_json(const StageReport& report) {
  return {{"stage", report.stage},
          {"seconds", report.seconds},
          {"peak_host_bytes", report.peak_host_bytes},
          {"tokens_per_second", report.tokens_per_second},
          {"results", report.results},
          {"files", report.files}};
}

// `folder`: the stage's.
void print_report(const StageReport& report, const std::filesystem::path& folder) {
  if (report.stage == "eval") {
    for (const Table& table : eval_tables(report.results))
      std::cout << table_text(table) << "\n";
    return;
  }
  if (report.stage == "quantize") {
    const auto errors = linear_errors(report.results);
    std::cout << table_text(kind_error_table("Relative error by kind of linear", errors)) << "\n";
  }
  std::cout << table_text(stage_table(report, read_metrics(folder / "metrics.jsonl"))) << std::endl;
}

void write_page(const Experiment& experiment) {
  const auto page = experiment.recipe.output / kReportPage;
  write_run_report(experiment.recipe.output, page);
  log_info("report: " + page.string());
}

// A run that is stopped has a page of what is there; trouble with it is not what ends the run.
StageOutcome run_with_page(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                           const std::string& stage) {
  try {
    return run_stage(experiment, stage);
  } catch (const Stopped&) {
    try {
      write_page(experiment);
    } catch (const UserError& problem) {
      log_warning(problem.what());
    }
    throw;
  } catch (const std::exception& error) {
    if (const auto refused = refused_memory(error)) fail_for_memory(experiment, needs, stage, *refused);
    throw;
  }
}

struct CheckedStages {
  std::vector<StageStatus> statuses;
  std::vector<StageNeeds> needs;  // of those that are not complete
};

// The stages to run, with everything looked at that could stop one of them; `only` as in preflight.h.
CheckedStages checked_stages(const Experiment& experiment, const std::string& only) {
  const KeptQuestions by_inputs_and_checks;
  const Preflight found = check_before_start(experiment, only);
  return {found.stages, check_needs(experiment, found.stages, found.config)};
}

}  // namespace

void command_stage(const CommandOptions& options, const std::string& stage) {
  const Experiment experiment = open_experiment(options);
  const CheckedStages checked = checked_stages(experiment, stage);
  const StageReport report = run_with_page(experiment, checked.needs, stage).report;
  write_page(experiment);
  if (options.json) {
    std::cout << report_json(report).dump() << std::endl;
  } else {
    print_report(report, experiment.folder(stage));
  }
}

void command_run(const CommandOptions& options) {
  const Experiment experiment = open_experiment(options);
  nlohmann::json all = nlohmann::json::object();
  const CheckedStages checked = checked_stages(experiment, "");
  for (const StageStatus& status : checked.statuses) {
    const StageOutcome outcome = run_with_page(experiment, checked.needs, status.stage);
    all[status.stage] = report_json(outcome.report);
    // What was complete already has been shown before, but the results are what a run is for.
    if (!options.json && (outcome.ran || status.stage == "eval"))
      print_report(outcome.report, experiment.folder(status.stage));
  }
  write_page(experiment);
  if (options.json) std::cout << all.dump() << std::endl;
}

void command_report(const CommandOptions& options) {
  const bool single = options.folders.size() == 1;
  require(single || !options.out.empty(), "report",
          "expected --out PAGE.html for a comparison of several runs, got none");
  const auto page = options.out.empty() ? options.folders[0] / kReportPage : options.out;
  // Up front, not after all runs have been read.
  require(page.has_filename() && !std::filesystem::is_directory(page), "report",
          "expected a file name for the page, got the folder ", page.string());
  if (single) {
    write_run_report(options.folders[0], page);
  } else {
    write_comparison_report(options.folders, page);
  }
  if (options.json) {
    std::cout << nlohmann::json{{"page", page.string()}}.dump() << std::endl;
  } else {
    std::cout << page.string() << std::endl;
  }
}

}  // namespace qslaw
