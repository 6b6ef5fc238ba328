#include "report/run_folder.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "report/metrics.h"
#include "report/number_text.h"
#include "report/run_names.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

bool is_stage_folder(const fs::path& folder) {
  const auto has = [&](const char* file) { return fs::exists(folder / file); };
  return has("report.json") || has("metrics.jsonl") || has("inputs.txt");
}

void require_run_folder(const fs::path& path) {
  require(fs::is_directory(path), "report", "expected a run's output folder, got ", path.string());
  if (!is_stage_folder(path)) return;
  fail("report", "expected a run's output folder, got the folder of one stage: ", path.string(),
       "; the run's is ", clean_path(path).parent_path().string());
}

std::optional<RunStage> load_stage(const fs::path& folder, const std::string& name) {
  RunStage stage;
  stage.name = name;
  stage.folder = folder;
  stage.report = complete_report(folder);
  stage.metrics = read_metrics(folder / "metrics.jsonl");
  if (!stage.report && stage.metrics.empty()) return std::nullopt;
  if (fs::exists(folder / "recipe.yaml")) stage.recipe = read_file(folder / "recipe.yaml");
  return stage;
}

std::optional<int64_t> count_of(const json& metrics) {
  const auto count = number_at(metrics, "n");
  if (!count || *count < 1 || *count >= 1e15) return std::nullopt;
  return static_cast<int64_t>(*count);
}

std::optional<BenchmarkScore> main_score(const std::string& benchmark, const json& metrics) {
  for (const char* metric : {"accuracy", "perception", "score", "f1", "perplexity", "loss"}) {
    const auto value = number_at(metrics, metric);
    if (!value) continue;
    return BenchmarkScore{benchmark, metric, *value, count_of(metrics), score_interval(metrics, metric)};
  }
  return std::nullopt;
}

// A finished stage's inputs name the files that it was made from with their hashes (docs/formats.md).
bool is_made_from(const RunStage& base, const std::string& inputs) {
  if (!base.report) return false;
  return std::all_of(base.report->files.begin(), base.report->files.end(),
                     [&](const auto& file) { return inputs.find(file.second) != inputs.npos; });
}

// The first of the stages before that `stage` was not made from, or null.
const RunStage* other_base(const std::vector<RunStage>& before, const RunStage& stage) {
  if (!fs::exists(stage.folder / "inputs.txt")) return nullptr;
  const std::string inputs = read_file(stage.folder / "inputs.txt");
  const auto found = std::find_if(before.begin(), before.end(), [&](const RunStage& base) {
    return leaves_model(base.name) && !is_made_from(base, inputs);
  });
  return found == before.end() ? nullptr : &*found;
}

void load_stages(RunFolder& run) {
  for (const std::string& name : stage_names()) {
    const fs::path folder = run.path / name;
    auto stage = load_stage(folder, name);
    // Only those that train leave metrics before their end; the inputs are there from any stage's beginning.
    if (is_stage_folder(folder) && !(stage && stage->report)) run.unfinished.push_back(name);
    if (!stage) continue;
    if (stage->report && run.name.empty()) run.name = stage->report->name;
    const RunStage* other = other_base(run.stages, *stage);
    if (other)
      run.left_out.emplace_back(
          name, concat("made without the ", other->name, "/ that lies beside it, and left out of the page"));
    else
      run.stages.push_back(std::move(*stage));
  }
}

// The runs that can be read, in their order; the others are named in a warning.
std::vector<RunFolder> load_readable(const std::vector<fs::path>& paths) {
  std::vector<RunFolder> runs;
  std::string first_problem;
  for (const fs::path& path : paths) {
    try {
      runs.push_back(load_run(path));
    } catch (const UserError& problem) {
      log_warning(concat("left out ", path.string(), ": ", problem.what()));
      if (first_problem.empty()) first_problem = problem.what();
    }
  }
  require(!runs.empty(), "report",
          "expected at least one run that can be read, got none; first: ", first_problem);
  return runs;
}

}  // namespace

RunFolder load_run(const fs::path& path) {
  RunFolder run;
  run.path = path;
  try {
    require_run_folder(path);
    load_stages(run);
  } catch (const fs::filesystem_error& problem) {  // of a stage's folder that the system does not let us see
    fail("report", "cannot read ", problem.path1().string(), ": ", problem.code().message());
  }
  require(!run.stages.empty(), "report", "expected a stage's folder (", join(stage_names()),
          ") with report.json or metrics.jsonl, got none in ", path.string());
  if (run.name.empty()) run.name = path_end(path, 1);
  return run;
}

std::vector<RunFolder> load_runs(const std::vector<fs::path>& paths) {
  // A folder that is not there is a slip of the pen, unlike one that holds no finished run yet.
  for (const fs::path& path : paths)
    require(fs::is_directory(path), "report", "expected a run's output folder, got ", path.string());
  std::vector<RunFolder> runs =
      paths.size() > 1 ? load_readable(paths) : std::vector<RunFolder>{load_run(paths.at(0))};
  tell_apart(runs);
  return runs;
}

const RunStage* find_stage(const RunFolder& run, const std::string& stage) {
  const auto it =
      std::find_if(run.stages.begin(), run.stages.end(), [&](const auto& s) { return s.name == stage; });
  return it == run.stages.end() ? nullptr : &*it;
}

const json& stage_results(const RunFolder& run, const std::string& stage) {
  static const json null;
  const RunStage* found = find_stage(run, stage);
  return found && found->report ? found->report->results : null;
}

std::string run_recipe(const RunFolder& run) {
  std::string recipe;
  for (const RunStage& stage : run.stages)
    recipe = stage.recipe.empty() ? recipe : stage.recipe;
  return recipe;
}

std::vector<BenchmarkScore> benchmark_scores(const RunFolder& run) {
  std::vector<BenchmarkScore> scores;
  for (const auto& [benchmark, metrics] : stage_results(run, "eval").items()) {
    if (auto score = main_score(benchmark, metrics)) scores.push_back(*score);
  }
  std::stable_partition(scores.begin(), scores.end(), [](const auto& s) { return s.metric == "accuracy"; });
  return scores;
}

std::pair<double, double> accuracy_interval(double percent, int64_t count) {
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point
  const double p = percent / 100, n = static_cast<double>(count);
  const double center = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {100 * std::max(0.0, center - half), 100 * std::min(1.0, center + half)};
}

std::optional<std::pair<double, double>> score_interval(const json& metrics, const std::string& metric) {
  const auto value = number_at(metrics, metric);
  if (!value) return std::nullopt;
  if (metrics.contains(metric + "_low")) {
    const auto low = number_at(metrics, metric + "_low"), high = number_at(metrics, metric + "_high");
    if (!low || !high) return std::nullopt;
    return std::pair(*low, *high);
  }
  const auto count = count_of(metrics);
  if (metric != "accuracy" || !count || *value < 0 || *value > 100) return std::nullopt;
  return accuracy_interval(*value, *count);
}

}  // namespace qslaw
