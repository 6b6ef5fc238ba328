#include <ATen/ATen.h>

#include "core/error.h"
#include "core/log.h"
#include "model/named_tensors.h"
#include "stage_checks.h"
#include "stages.h"
#include "training.h"

namespace qslaw {
namespace {

double rate_or(double rate, double fallback) {
  return rate > 0 ? rate : fallback;
}

// Attaches what the method trains, unless the model came with it, and returns the groups.
std::vector<ParameterGroup> make_groups(const TuneOptions& options, bool has_pictures, uint64_t seed,
                                        AssembledModel& model) {
  const OptimizerOptions& optimizer = options.optimizer;
  std::vector<ParameterGroup> groups;
  if (options.method == "lora") {
    model.lora = options.lora;
    if (model.adapter.empty())
      model.adapter =
          attach_lora(model.llava.language, options.lora, model.dropout, seed, model.llava.device);
    groups.push_back(lora_group(model.adapter, optimizer.lr, optimizer.weight_decay));
  } else if (options.method == "full") {
    groups = language_groups(model.llava, optimizer.lr, optimizer.weight_decay);
    if (options.train_vision)
      groups.push_back(vision_group(model.llava, rate_or(optimizer.vision_lr, optimizer.lr)));
  }
  const bool projector = options.method == "projector" || (options.train_projector && has_pictures);
  if (projector)
    groups.push_back(projector_group(model.llava, rate_or(optimizer.projector_lr, optimizer.lr)));
  return groups;
}

void write_dense(const std::filesystem::path& path, Llava& model, bool with_vision) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : language_slots(model))
    tensors.emplace_back(name, tensor->to(at::kFloat));
  if (with_vision) {
    for (const auto& [name, tensor] : vision_slots(model))
      tensors.emplace_back(name, tensor->to(at::kFloat));
  }
  write_safetensors(path, tensors);
}

std::vector<std::string> write_artifacts(const StageRun& run, const TuneOptions& options,
                                         const Artifacts& artifacts, AssembledModel& model) {
  std::vector<std::string> files = {"projector.safetensors"};
  write_safetensors(run.folder / files[0], projector_to_named(model.llava.projector));
  if (options.method == "lora") {
    files.push_back("adapter.safetensors");
    write_adapter(run.folder / files.back(), model.adapter, options.lora,
                  base_hash(run.experiment, artifacts));
  } else if (options.method == "full") {
    files.push_back("model.safetensors");
    write_dense(run.folder / files.back(), model.llava, options.train_vision);
  }
  return files;
}

}  // namespace

void run_tune(const StageRun& run, StageReport& report) {
  const Experiment& experiment = run.experiment;
  const TuneOptions& options = *experiment.recipe.tune;
  const LlavaConfig config = read_config(experiment.recipe.model.source);
  const Artifacts artifacts = collect_artifacts(experiment, run.stage);
  require_tune_base(artifacts, artifacts.packed.has_value(), options);
  require_given_adapter(experiment.recipe, config);
  AssembledModel model = assemble_model(experiment, config, artifacts, options.lora.dropout);
  const TrainingData data(run, config, {options.phase}, options.loop, options.heldout);
  TrainTask task = make_task(run, data, model.llava, options.optimizer, options.loop, options.heldout);
  task.train_vision = options.train_vision;
  task.dropout = model.dropout;
  task.groups = make_groups(options, data.has_pictures(), experiment.recipe.seed, model);
  log_info(concat("tune: ", count_parameters(task.groups), " parameters, method ", options.method, ", ",
                  task.phases[0].steps, " steps"));
  const TrainResult result = train(task, run.resume);

  report_training(run, task, result, model.llava, report);
  report.results["method"] = options.method;
  add_file_hashes(report, run.folder, write_artifacts(run, options, artifacts, model));
}

}  // namespace qslaw
