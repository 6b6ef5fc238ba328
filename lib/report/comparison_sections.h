// The parts of the page that shows several runs. Each is empty (no value) when no run has anything for it.
#pragma once
#include <string>
#include <vector>

#include "report/run_sections.h"

namespace qslaw {

using Runs = std::vector<RunFolder>;

/// The highest accuracy and, where the finished runs have the same stages, the lowest peak memory, each with
/// the run's name or, where several are equal, theirs.
Html best_cards(const Runs& runs);
OptionalSection scores_section(const Runs& runs);
OptionalSection curves_section(const Runs& runs);
/// Peak memory by kind, time and speed.
OptionalSection costs_section(const Runs& runs);

/// One row per run: time, peak memory and speed of the stages that train, and what speed benchmarks measured.
/// No rows where nothing of this was measured.
Table speed_table(const Runs& runs);

/// A run keeps its color and dash in all charts of the page.
int run_color(size_t index);
int run_dash(size_t index);

/// The bits per weight, 16 where nothing was quantized.
double run_bits(const RunFolder& run);

/// The score of the same benchmark and metric, or null.
const BenchmarkScore* find_score(const std::vector<BenchmarkScore>& scores, const BenchmarkScore& kind);

/// One score of each benchmark and metric that any run has, in the order in which they are first seen.
std::vector<BenchmarkScore> score_kinds(const Runs& runs);

/// In what the runs' measurements of a benchmark differ but for the model, so that its numbers may not be
/// compared: "limit (0; 100), n (4,241; 100)". "" when they may. Older reports hold less to compare by.
std::string measured_differently(const Runs& runs, const std::string& benchmark);

}  // namespace qslaw
