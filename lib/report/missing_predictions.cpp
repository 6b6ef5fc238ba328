#include "report/missing_predictions.h"

#include <fstream>

#include "core/text.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

int64_t count_lines(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  int64_t count = 0;
  for (std::string line; std::getline(in, line);)
    count += line.empty() ? 0 : 1;
  return count;
}

}  // namespace

std::vector<std::string> missing_predictions(const RunFolder& run) {
  std::vector<std::string> warnings;
  for (const auto& [benchmark, metrics] : stage_results(run, "eval").items()) {
    const auto samples = static_cast<int64_t>(std::min(number_at(metrics, "n").value_or(0), 1e15));
    const auto missing = static_cast<int64_t>(std::min(number_at(metrics, "missing").value_or(0), 1e15));
    if (missing > 0) {
      warnings.push_back(concat(benchmark, ": ", format_count(missing), " of ", format_count(samples),
                                " questions have no answer and count as wrong"));
    }
    const auto path = run.path / "eval" / "predictions" / (benchmark + ".jsonl");
    const int64_t lines = std::filesystem::is_regular_file(path) ? count_lines(path) : samples;
    if (lines < samples) {
      warnings.push_back(concat(benchmark, ": ", path.string(), " has ", format_count(lines), " lines for ",
                                format_count(samples), " samples (is it cut?)"));
    }
  }
  return warnings;
}

}  // namespace qslaw
