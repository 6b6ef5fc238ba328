#include "train/update.h"

#include <ATen/ATen.h>

#include "train/schedule.h"

namespace qslaw {

std::vector<AdamW> make_optimizers(const TrainTask& task) {
  std::vector<AdamW> optimizers;
  for (const ParameterGroup& group : task.groups) {
    std::vector<at::Tensor> tensors;
    for (const auto& [name, tensor] : group.tensors)
      tensors.push_back(tensor);
    AdamWOptions options;
    options.weight_decay = group.weight_decay;
    options.int8_states = task.optimizer.states == "int8";
    optimizers.emplace_back(tensors, options);
  }
  return optimizers;
}

nlohmann::json update_parameters(const TrainTask& task, const TrainPhase& phase, int64_t phase_step,
                                 std::vector<AdamW>& optimizers) {
  const int64_t warmup = warmup_steps(task.optimizer.warmup_ratio, phase.steps);
  const double factor = schedule_factor(task.optimizer.schedule, phase_step, warmup, phase.steps);
  nlohmann::json rates;
  for (size_t g = 0; g < task.groups.size(); ++g) {
    const ParameterGroup& group = task.groups[g];
    const auto own = phase.lr.find(group.name);
    const double rate = factor * (own == phase.lr.end() ? group.lr : own->second);
    optimizers[g].step(rate);
    rates[group.name] = rate;
  }
  return rates;
}

}  // namespace qslaw
