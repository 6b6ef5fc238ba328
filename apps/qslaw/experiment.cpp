#include "experiment.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "kernels/cuda_table.h"
#include "report/stage_report.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Of every stage; the report first, because it says that the others are sound. What an earlier method left
// would be taken for the present one's.
constexpr const char* kResultFiles[] = {"report.json",           "language.safetensors", "model.safetensors",
                                        "projector.safetensors", "adapter.safetensors",  "gamma.safetensors"};
const char* const kInputsFile = "inputs.txt";

at::Device resolve_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "auto") {
    if (!has_nvidia_driver()) return at::kCPU;
    try {
      load_cuda();
    } catch (const UserError& problem) {
      log_warning(concat("using the CPU: ", problem.what()));
      return at::kCPU;
    }
    return {at::kCUDA, 0};
  }
  const bool numbered = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 8 &&
                        name.find_first_not_of("0123456789", 5) == std::string::npos;
  require(name == "cuda" || numbered, "device", "expected auto, cpu, cuda or cuda:N, got ", name);
  load_cuda();
  return {at::kCUDA, static_cast<c10::DeviceIndex>(numbered ? std::stoi(name.substr(5)) : 0)};
}

void take(std::optional<fs::path>& slot, const fs::path& file) {
  if (fs::exists(file)) slot = file;
}

// A stage folder's files, over what came before.
void add_stage(Artifacts& artifacts, const fs::path& folder) {
  take(artifacts.packed, folder / "language.safetensors");
  take(artifacts.dense, folder / "model.safetensors");
  take(artifacts.projector, folder / "projector.safetensors");
  take(artifacts.adapter, folder / "adapter.safetensors");
}

// "path size time" of a file, or of every file directly in a folder.
void describe_path(const fs::path& path, std::string& out) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files)
      describe_path(file, out);
  } else if (fs::is_regular_file(path, ignored)) {
    out += concat(path.string(), " ", fs::file_size(path), " ",
                  fs::last_write_time(path).time_since_epoch().count(), "\n");
  }
}

// Paths in a section's YAML are absolute: every token that names something on disk is an input.
void describe_inputs(const std::string& yaml, std::string& out) {
  size_t begin = 0;
  while ((begin = yaml.find('/', begin)) != std::string::npos) {
    size_t end = yaml.find_first_of("\"'\n", begin);
    if (end == std::string::npos) end = yaml.size();
    describe_path(yaml.substr(begin, end - begin), out);
    begin = end;
  }
}

std::vector<std::string> stages_before(const std::string& stage) {
  std::vector<std::string> before;
  for (const auto& name : stage_names()) {
    if (name == stage) break;
    before.push_back(name);
  }
  return before;
}

// A line of stage_inputs as a message names it: a file without its size and time.
std::string input_name(const std::string& line) {
  if (line[0] == '/') return line.substr(0, line.rfind(' ', line.rfind(' ') - 1));
  return line.substr(std::min(line.find_first_not_of(" -"), line.size()));
}

// The first input that is another one than when the stage in `folder` began: "bits: 3 for bits: 4"; empty
// when none is.
std::string changed_input(const fs::path& folder, const std::string& inputs) {
  const std::string begun = read_file(folder / kInputsFile);
  if (begun == inputs) return "";
  std::istringstream before(begun), now(inputs);
  std::string was, is;
  do {
    was = is = "nothing";
    std::getline(before, was);
    std::getline(now, is);
  } while (was == is);
  const bool is_file = is[0] == '/';
  return concat(is_file ? "the changed file " : "", input_name(is), is_file ? "" : " for " + input_name(was));
}

void require_same_inputs(const std::string& stage, const fs::path& folder, const std::string& inputs) {
  const std::string changed = changed_input(folder, inputs);
  require(changed.empty(), stage, "expected the inputs that this run began with, got ", changed,
          "; set it back, or start over with --restart (", folder.string(), ")");
}

// A finished result may have cost days: when another recipe or file replaces it, the newest is kept beside
// it. But exports, which may be large, are soon written again.
void keep_aside(const std::string& stage, const fs::path& folder, const std::string& inputs) {
  const std::string reason =
      fs::exists(folder / kInputsFile) ? changed_input(folder, inputs) : "no inputs.txt";
  const fs::path kept = folder.string() + ".previous";
  if (stage != "export") {
    fs::remove_all(kept);
    fs::rename(folder, kept);
  }
  log_info(concat(stage, ": its inputs have changed (", reason, "), starting over",
                  stage == "export" ? "" : "; the earlier result is kept in " + kept.string()));
}

// Whether the stage goes on with the unfinished run in its folder, if there is one. One that has done neither
// a step nor a block (a first sample was bad, say) has nothing to lose, so it is not asked about.
bool goes_on(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  const bool resume = experiment.options.resume;
  if (has_progress(folder)) {
    require(resume, stage,
            "expected --resume to go on or --restart to start over, got neither for an unfinished run in ",
            folder.string());
    require_same_inputs(stage, folder, inputs);
    return true;
  }
  if (!resume || !find_checkpoint(folder)) return false;
  if (read_file(folder / kInputsFile) == inputs) return true;
  log_info(concat(stage, ": no step was done and the inputs have changed, starting over"));
  return false;
}

bool leaves_model(const std::string& stage) {
  return stage == "quantize" || stage == "warmup" || stage == "tune";
}

}  // namespace

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"quantize", "warmup", "tune", "eval", "export"};
  return names;
}

bool Experiment::has_section(const std::string& stage) const {
  return (stage == "quantize" && recipe.quantize) || (stage == "warmup" && recipe.warmup) ||
         (stage == "tune" && recipe.tune) || (stage == "eval" && recipe.eval) ||
         (stage == "export" && recipe.export_);
}

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  fail("recipe", "expected dtype float32, bfloat16 or float16, got ", name);
}

Experiment open_experiment(const CommandOptions& options) {
  Experiment experiment;
  experiment.options = options;
  experiment.recipe = parse_recipe(options.recipe_text, options.recipe, options.overrides);
  if (!options.out.empty()) experiment.recipe.output = fs::absolute(options.out).lexically_normal();
  experiment.device = resolve_device(options.device);
  experiment.dtype = parse_dtype(experiment.recipe.model.dtype);
  return experiment;
}

Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage) {
  Artifacts artifacts;
  for (const fs::path& folder : experiment.recipe.model.stages) {
    require(is_stage_complete(folder), "model", "expected a finished stage folder, got ", folder.string(),
            " (key model.stages)");
    add_stage(artifacts, folder);
  }
  for (const std::string& before : stages_before(stage)) {
    if (!leaves_model(before) || !experiment.has_section(before)) continue;
    require(is_stage_complete(experiment.folder(before)), stage, "expected the recipe's ", before,
            " stage to be complete, got no report in ", experiment.folder(before).string(), "; run `qslaw ",
            before, "` first");
    add_stage(artifacts, experiment.folder(before));
  }
  return artifacts;
}

std::string stage_inputs(const Experiment& experiment, const std::string& stage) {
  std::string inputs =
      concat("version 1\nseed ", experiment.recipe.seed, "\ndevice ", experiment.device.type(), "\n");
  for (const std::string& section : {std::string("model"), stage}) {
    const std::string yaml = section_yaml(experiment.recipe, section);
    inputs += yaml + "\n";
    describe_inputs(yaml, inputs);
  }
  for (const std::string& before : stages_before(stage)) {
    if (!leaves_model(before) || !experiment.has_section(before)) continue;
    if (!is_stage_complete(experiment.folder(before))) continue;
    for (const auto& [file, hash] : read_stage_report(experiment.folder(before)).files)
      inputs += file + " " + hash + "\n";
  }
  return inputs;
}

StageState find_state(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  if (experiment.options.restart) return StageState::fresh;
  if (is_stage_complete(folder)) {
    const bool same = read_stage_report(folder).fingerprint == sha256(inputs);
    return same ? StageState::complete : StageState::fresh;
  }
  return goes_on(experiment, stage, inputs) ? StageState::resumed : StageState::fresh;
}

StageState begin_stage(const Experiment& experiment, const std::string& stage, const std::string& inputs) {
  const fs::path folder = experiment.folder(stage);
  const StageState state = find_state(experiment, stage, inputs);
  if (state != StageState::fresh) return state;
  if (is_stage_complete(folder) && !experiment.options.restart) keep_aside(stage, folder, inputs);
  make_folder(folder);
  for (const char* file : kResultFiles)
    fs::remove(folder / file);
  remove_checkpoints(folder);
  write_file_atomic(folder / kInputsFile, inputs);
  write_file_atomic(folder / "recipe.yaml", recipe_yaml(experiment.recipe));
  return StageState::fresh;
}

}  // namespace qslaw
