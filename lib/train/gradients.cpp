#include "train/gradients.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "model/dataset_loss.h"
#include "model/nonfinite.h"
#include "train/passes.h"

namespace qslaw {
namespace {

constexpr const char* kHint =
    " (the last checkpoint is kept; a lower learning rate or dtype float32 may help)";

template <typename Fn>
void for_each_gradient(const std::vector<ParameterGroup>& groups, Fn fn) {
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.tensors) {
      if (tensor.grad().defined()) fn(name, tensor.grad());
    }
  }
}

std::vector<at::Tensor> gradients_of(const std::vector<ParameterGroup>& groups) {
  std::vector<at::Tensor> gradients;
  for_each_gradient(groups,
                    [&](const std::string&, const at::Tensor& gradient) { gradients.push_back(gradient); });
  return gradients;
}

[[noreturn]] void fail_loss(const TrainTask& task, int64_t step, const Batch& batch) {
  at::NoGradGuard no_grad;
  const std::string place = find_nonfinite(*task.model, batch);
  fail(task.title, "expected a finite loss, got NaN or infinity at step ", step + 1, ", first in ",
       place.empty() ? "the loss" : place, ", samples ", join(batch.sample_ids), kHint);
}

// The loss may be finite where its gradient is not (float16 overflows, a division by a tiny number).
[[noreturn]] void fail_gradient(const TrainTask& task, int64_t step,
                                const std::vector<LoadedSample>& samples) {
  std::string place;
  for_each_gradient(task.groups, [&](const std::string& name, const at::Tensor& gradient) {
    if (place.empty() && !at::isfinite(gradient).all().item<bool>()) place = name;
  });
  std::vector<std::string> ids;
  for (const LoadedSample& sample : samples)
    ids.push_back(sample.sample.id);
  fail(task.title, "expected finite gradients, got NaN or infinity at step ", step + 1, ", first in ",
       place.empty() ? "the norm over all tensors" : place, ", samples ", join(ids), kHint);
}

double gradient_norm(const TrainTask& task, int64_t step, const std::vector<LoadedSample>& samples) {
  const std::vector<at::Tensor> gradients = gradients_of(task.groups);
  require(!gradients.empty(), task.title, "expected gradients at step ", step + 1, ", got none");
  // Of all at once: on a GPU a launch for many of them, not several for each.
  const double norm = at::stack(at::_foreach_norm(gradients, 2)).norm().item<double>();
  if (!std::isfinite(norm)) fail_gradient(task, step, samples);
  return norm;
}

std::vector<LoadedSample> samples_of(const Pass& pass, const std::vector<LoadedSample>& samples) {
  std::vector<LoadedSample> out;
  for (const size_t i : pass.samples)
    out.push_back(samples[i]);
  return out;
}

}  // namespace

StepGradients accumulate_gradients(const TrainTask& task, int64_t step,
                                   const std::vector<LoadedSample>& samples) {
  StepGradients out;
  const LlavaConfig& config = task.model->config;
  const std::vector<Pass> passes = make_passes(samples, task.loop, config.vision.features());
  for (size_t p = 0; p < passes.size(); ++p) {
    const Batch batch = collate(samples_of(passes[p], samples), config.vision.features(), config.pad_token_id,
                                task.loop.packing);
    if (task.dropout) task.dropout->seed = mix_seed(task.seed, static_cast<uint64_t>(step), p) | 1;
    const TokenLosses losses = token_losses(*task.model, batch, {task.loop.checkpointing, task.train_vision});
    const at::Tensor loss = losses.nll_M.mean();
    if (!std::isfinite(loss.item<double>())) fail_loss(task, step, batch);
    out.metrics.add(batch, sum_by_sample(losses, batch.sample_ids.size()));
    torch::autograd::backward({loss * passes[p].weight}, {});
    if (task.dropout) task.dropout->seed = 0;
  }
  out.norm = gradient_norm(task, step, samples);
  return out;
}

void clip_gradients(const std::vector<ParameterGroup>& groups, double norm, double limit) {
  if (limit <= 0 || norm <= limit) return;
  const std::vector<at::Tensor> gradients = gradients_of(groups);
  if (!gradients.empty()) at::_foreach_mul_(gradients, limit / (norm + 1e-6));
}

int64_t gradient_bytes(const std::vector<ParameterGroup>& groups) {
  int64_t bytes = 0;
  for_each_gradient(groups, [&](const std::string&, const at::Tensor& gradient) {
    bytes += static_cast<int64_t>(gradient.nbytes());
  });
  return bytes;
}

}  // namespace qslaw
