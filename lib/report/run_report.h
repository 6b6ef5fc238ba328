// The HTML reports and the comparison table. Stages that left nothing are left out.
#pragma once
#include <filesystem>
#include <vector>

#include "report/run_folder.h"
#include "report/table.h"

namespace qslaw {

/// One run: headline, accuracy, sample pictures, curves, memory, quantization, gamma, recipe, versions.
/// Writes `html` atomically. UserError when the folder holds no stage, or a file of it is malformed.
void write_run_report(const std::filesystem::path& output_folder, const std::filesystem::path& html);

/// Several runs side by side, as load_runs reads them.
void write_comparison_report(const std::vector<std::filesystem::path>& output_folders,
                             const std::filesystem::path& html);

/// One row per run: name, method, bits, tuning, each benchmark's main number, packed size, peak memory, time.
Table comparison_table(const std::vector<RunFolder>& runs);

}  // namespace qslaw
