// The stages: one function each, one file each. A stage writes its artifact and then its report.
#pragma once
#include "experiment.h"
#include "report/stage_report.h"

namespace qslaw {

/// What every stage gets: the experiment, its own folder, and whether it goes on with an unfinished run.
struct StageRun {
  const Experiment& experiment;
  std::string stage;
  std::filesystem::path folder;
  std::string fingerprint;
  bool resume = false;
  int64_t baseline_host_bytes = 0;  // in use before the stage began
};

/// Each fills in results, memory and files of the report.
void run_quantize(const StageRun& run, StageReport& report);
void run_warmup(const StageRun& run, StageReport& report);
void run_tune(const StageRun& run, StageReport& report);
void run_eval(const StageRun& run, StageReport& report);
void run_export(const StageRun& run, StageReport& report);

struct StageOutcome {
  StageReport report;
  bool ran = true;  // false: it was complete already
};

/// Runs one stage of the recipe, unless it is complete, and writes its report. UserError while another
/// process works in its folder, builds on it, or writes what it builds on.
StageOutcome run_stage(const Experiment& experiment, const std::string& stage);

/// Adds the SHA-256 of the stage's files to the report.
void add_file_hashes(StageReport& report, const std::filesystem::path& folder,
                     const std::vector<std::string>& names);

/// The same of every file below `folder`/`name`, under names that begin with `name`.
void add_folder_hashes(StageReport& report, const std::filesystem::path& folder, const std::string& name);

}  // namespace qslaw
