#include "experiment.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/log.h"
#include "kernels/cuda_table.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

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
  load_cuda();
  const int index = name == "cuda" ? 0 : std::stoi(name.substr(std::string("cuda:").size()));
  require_device_index(index, cuda_device_count());
  return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace

bool puts_adapter_on(const std::string& stage) {
  return stage == "tune" || stage == "eval" || stage == "export";
}

bool Experiment::has_section(const std::string& stage) const {
  return (stage == "quantize" && recipe.quantize) || (stage == "warmup" && recipe.warmup) ||
         (stage == "tune" && recipe.tune) || (stage == "eval" && recipe.eval) ||
         (stage == "export" && recipe.export_);
}

std::vector<std::string> Experiment::base_stages(const std::string& stage) const {
  std::vector<std::string> stages;
  for (const std::string& name : stage_names()) {
    if (name == stage) break;
    if (leaves_model(name) && has_section(name)) stages.push_back(name);
  }
  return stages;
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

}  // namespace qslaw
