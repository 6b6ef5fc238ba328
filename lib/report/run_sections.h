// The sections of one run's report. Each is empty (no value) when the run has nothing for it.
#pragma once
#include <optional>
#include <string>

#include "report/html_page.h"
#include "report/run_folder.h"
#include "report/svg_plot.h"

namespace qslaw {

using OptionalSection = std::optional<PageSection>;

Html summary_cards(const RunFolder& run);
OptionalSection accuracy_section(const RunFolder& run);
OptionalSection samples_section(const RunFolder& run);
OptionalSection training_section(const RunFolder& run, const std::string& stage);
OptionalSection memory_section(const RunFolder& run);
OptionalSection quantization_section(const RunFolder& run);
OptionalSection gamma_section(const RunFolder& run);
OptionalSection recipe_section(const RunFolder& run);
OptionalSection versions_section(const RunFolder& run);

/// The memory of one stage as parts of a bar: weights, activations, optimizer, gradients, and what the peak
/// holds beyond them.
std::vector<BarPart> memory_parts(const StageReport& report);

/// A benchmark's name for headings: "ScienceQA" for scienceqa.
std::string benchmark_title(const std::string& benchmark);

/// "ScienceQA accuracy", "Text perplexity".
std::string score_title(const BenchmarkScore& score);

}  // namespace qslaw
