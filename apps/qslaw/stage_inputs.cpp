#include "stage_inputs.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/picture_names.h"
#include "eval/options.h"
#include "eval/question_kinds.h"
#include "input_lines.h"
#include "model/original_layout.h"
#include "quant/calibration.h"
#include "recipe/paths.h"
#include "report/stage_report.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Of one data set. Sizes and times of so many take a second where nothing of them is cached.
constexpr int64_t kMostPictures = 10000;
const char* const kDevice = "device ";

void describe_file(const fs::path& path, std::string& out) {
  out += input_line(path) + "\n";
}

// A file, or every file directly in a folder.
void describe_path(const fs::path& path, std::string& out) {
  std::error_code ignored;
  std::vector<fs::path> files;
  if (fs::is_directory(path, ignored)) {
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else if (fs::is_regular_file(path, ignored)) {
    files = {path};
  }
  for (const auto& file : files)
    describe_file(file, out);
}

// What a finished stage left; nothing of another folder.
void describe_stage(const fs::path& folder, std::string& out) {
  const std::optional<StageReport> report = complete_report(folder);
  if (!report) return;
  for (const auto& [file, hash] : report->files)
    out += file + " " + hash + "\n";
}

// The files that a benchmark's questions come from, and their pictures, evenly spread.
std::vector<fs::path> question_files(const BenchmarkOptions& benchmark) {
  const auto kept = benchmark_questions(benchmark);
  const std::vector<BenchmarkQuestion>& questions = *kept;
  const size_t stride = questions.size() / static_cast<size_t>(kMostPictures) + 1;
  std::set<fs::path> files = files_of(questions);
  for (size_t i = 0; i < questions.size(); i += stride) {
    if (!questions[i].picture.empty()) files.insert(questions[i].picture);
  }
  return {files.begin(), files.end()};
}

// Of the stage, those that may name pictures.
std::vector<DataOptions> picture_data(const Recipe& recipe, const std::string& stage) {
  std::vector<DataOptions> all;
  const auto add = [&all](const std::optional<DataOptions>& data) {
    if (data) all.push_back(*data);
  };
  if (stage == "quantize" && recipe.quantize->calibration) {
    for (const CalibrationShare& share : calibration_shares(*recipe.quantize->calibration))
      add(share.data);
  } else if (stage == "warmup") {
    for (const PhaseOptions& phase : recipe.warmup->phases)
      add(phase.pictures);
    add(recipe.warmup->heldout.pictures);
  } else if (stage == "tune") {
    add(recipe.tune->phase.pictures);
    add(recipe.tune->heldout.pictures);
  } else if (stage == "eval") {
    for (const BenchmarkOptions& benchmark : recipe.eval->benchmarks) {
      if (has_data(benchmark)) add(benchmark_data(benchmark));
    }
  }
  return all;
}

// Those that the data names: a folder may hold other data's as well, outputs of this program, or half a
// million.
void describe_named(const std::function<std::vector<fs::path>()>& named, std::string& out) {
  try {
    for (const fs::path& file : named())
      describe_file(file, out);
  } catch (const UserError&) {
    out += "data that cannot be read\n";  // the stage says why
  }
}

void describe_questions(const EvalOptions& options, std::string& out) {
  for (const BenchmarkOptions& benchmark : options.benchmarks) {
    if (is_question_kind(benchmark.kind))
      describe_named([&benchmark] { return question_files(benchmark); }, out);
  }
}

// A run may go on with other threads and other checkpoints: no number depends on them.
bool changes_results(const std::string& line) {
  const std::string key = line.substr(std::min(line.find_first_not_of(' '), line.size()));
  return !key.starts_with("loader_threads:") && !key.starts_with("save_every:");
}

void describe_section(const Recipe& recipe, const std::string& section, std::string& out) {
  for (const std::string& line : lines_of(section_yaml(recipe, section))) {
    if (changes_results(line)) out += line + "\n";
  }
  for (const auto& [key, path] : section_paths(recipe, section)) {
    if (key.ends_with(".images")) continue;
    (key.starts_with("model.stages.") ? describe_stage : describe_path)(path, out);
  }
}

// LLaVA's own layout may name the tower's folder outside of the recipe.
void describe_tower(const ModelSource& source, std::string& out) {
  try {
    if (!source.vision.empty() || !has_original_layout(source)) return;
    describe_path(original_tower(source), out);
  } catch (const UserError&) {
    out += "a vision tower that cannot be found\n";  // the stage says why
  }
}

// A line of stage_inputs as a message names it.
std::string input_name(const std::string& line) {
  if (is_input_line(line)) return input_path(line);
  return line.substr(std::min(line.find_first_not_of(" -"), line.size()));
}

// `was` and `is` are the first lines that differ.
std::string describe_change(const std::string& was, const std::string& is, const std::string& now) {
  const bool gone = is_input_line(was) && now.find("\n" + input_name(was) + " ") == std::string::npos;
  if (gone || is_missing(is)) return "the missing file " + input_name(gone ? was : is);
  if (is_input_line(is)) return "the changed file " + input_name(is);
  return input_name(is) + " for " + (is_input_line(was) ? "the file " : "") + input_name(was);
}

// All but what the stages before it leave.
std::string own_inputs(const Experiment& experiment, const std::string& stage) {
  Recipe recipe = experiment.recipe;
  if (!puts_adapter_on(stage)) recipe.model.adapter.clear();  // another adapter costs no quantization
  std::string inputs = concat("version 3\nseed ", recipe.seed, "\n", kDevice, experiment.device.type(), "\n");
  describe_section(recipe, "model", inputs);
  describe_tower(recipe.model.source, inputs);
  describe_section(recipe, stage, inputs);
  for (const DataOptions& data : picture_data(recipe, stage))
    describe_named([&data] { return named_pictures(data, kMostPictures); }, inputs);
  if (stage == "eval") describe_questions(*recipe.eval, inputs);
  return inputs;
}

const std::string& known_own_inputs(const Experiment& experiment, const std::string& stage) {
  std::string& own = experiment.known_inputs[stage];
  if (own.empty()) own = own_inputs(experiment, stage);
  return own;
}

// A line of describe_stage: a name and a SHA-256.
bool is_artifact(const std::string& line) {
  const size_t space = line.rfind(' ');
  return !is_input_line(line) && space != line.npos && is_sha256(line.substr(space + 1));
}

// Those of the stages before stand last.
std::string without_artifacts(const std::string& inputs) {
  std::vector<std::string> lines = lines_of(inputs);
  while (!lines.empty() && is_artifact(lines.back()))
    lines.pop_back();
  return join(lines, "\n") + "\n";
}

}  // namespace

std::string stage_inputs(const Experiment& experiment, const std::string& stage) {
  std::string inputs = known_own_inputs(experiment, stage);
  for (const std::string& before : experiment.base_stages(stage))
    describe_stage(experiment.folder(before), inputs);
  return inputs;
}

InputChange compare_inputs(const std::string& begun, const std::string& now) {
  const auto was = lines_of(begun), is = lines_of(now);
  const auto at = [](const std::vector<std::string>& lines, size_t i) {
    return i < lines.size() ? lines[i] : "nothing";
  };
  InputChange change;
  for (size_t i = 0; i < std::max(was.size(), is.size()); ++i) {
    const std::string before = at(was, i), after = at(is, i);
    if (is_same_input(before, after)) continue;
    change.only_device = before.starts_with(kDevice) && after.starts_with(kDevice);
    change.what = describe_change(before, after, now);
    if (!change.only_device) break;
  }
  return change;
}

InputChange changed_inputs(const fs::path& folder, const std::string& inputs) {
  if (!fs::exists(folder / kInputsFile)) return {std::string("no ") + kInputsFile, false};
  return compare_inputs(read_file(folder / kInputsFile), inputs);
}

InputChange changed_own_inputs(const Experiment& experiment, const std::string& stage) {
  const fs::path file = experiment.folder(stage) / kInputsFile;
  if (!fs::exists(file)) return {std::string("no ") + kInputsFile, false};
  return compare_inputs(without_artifacts(read_file(file)), known_own_inputs(experiment, stage));
}

}  // namespace qslaw
