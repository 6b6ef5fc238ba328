// A recipe on its way through the stages: where things lie, on which device it runs.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "command_options.h"
#include "recipe/recipe.h"
#include "report/stage_report.h"

namespace qslaw {

/// Those that model.adapter is put on the model for.
bool puts_adapter_on(const std::string& stage);

struct Experiment {
  Recipe recipe;
  CommandOptions options;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  /// What stage_inputs has found out about each stage, to look once only.
  mutable std::map<std::string, std::string> known_inputs;

  std::filesystem::path folder(const std::string& stage) const { return recipe.output / stage; }
  bool has_section(const std::string& stage) const;
  /// The recipe's own stages before `stage` that leave a model, in their order.
  std::vector<std::string> base_stages(const std::string& stage) const;
};

/// Reads the recipe and resolves device and dtype. UserError when a device is asked for that is not there.
Experiment open_experiment(const CommandOptions& options);

at::ScalarType parse_dtype(const std::string& name);

}  // namespace qslaw
