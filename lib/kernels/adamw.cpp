#include "kernels/adamw.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"

namespace qslaw {

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    // The fused operator reads the step on the parameter's device; moments of 8 bits need it as a number.
    const at::Device device = options_.int8_states ? at::Device(at::kCPU) : parameter.device();
    steps_.push_back(at::zeros({}, at::TensorOptions().dtype(at::kFloat).device(device)));
    if (options_.int8_states) {
      moments_.push_back(zero_moments(parameter));
    } else {
      first_.push_back(at::zeros_like(parameter));
      second_.push_back(at::zeros_like(parameter));
    }
  }
}

void AdamW::step(double lr) {
  at::NoGradGuard no_grad;
  std::vector<size_t> updated;
  std::vector<at::Tensor> steps;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    updated.push_back(i);
    steps.push_back(steps_[i]);
  }
  if (updated.empty()) return;
  at::_foreach_add_(steps, 1);  // on a GPU a launch for many of them, not one for each
  if (options_.int8_states) {
    for (const size_t i : updated)
      step_int8(i, lr);
  } else {
    step_float32(updated, steps, lr);
  }
  for (const size_t i : updated)
    parameters_[i].mutable_grad() = at::Tensor();
}

void AdamW::step_float32(const std::vector<size_t>& updated, const std::vector<at::Tensor>& steps,
                         double lr) {
  std::vector<at::Tensor> parameters, gradients, first, second;
  for (const size_t i : updated) {
    parameters.push_back(parameters_[i]);
    gradients.push_back(parameters_[i].grad());
    first.push_back(first_[i]);
    second.push_back(second_[i]);
  }
  at::_fused_adamw_(parameters, gradients, first, second, {}, steps, lr, options_.beta1, options_.beta2,
                    options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::step_int8(size_t i, double lr) {
  const double t = steps_[i].item<double>();
  AdamWStep step{};
  step.beta1 = static_cast<float>(options_.beta1);
  step.beta2 = static_cast<float>(options_.beta2);
  step.decay = static_cast<float>(1.0 - lr * options_.weight_decay);
  step.rate = static_cast<float>(lr / (1.0 - std::pow(options_.beta1, t)));
  step.root = static_cast<float>(std::sqrt(1.0 - std::pow(options_.beta2, t)));
  step.eps = static_cast<float>(options_.eps);
  // A function of the position, so that a resumed run rounds as the whole one would have.
  step.random = static_cast<uint32_t>(mix_seed(static_cast<uint64_t>(t), i));
  adamw_int8_step(parameters_[i], parameters_[i].grad(), moments_[i], step);
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::states(size_t i) const {
  if (!options_.int8_states) return {{"first", first_[i]}, {"second", second_[i]}, {"steps", steps_[i]}};
  const Int8Moments& moments = moments_[i];
  return {{"first", moments.first},
          {"second", moments.second},
          {"first_maximum", moments.first_maximum},
          {"second_maximum", moments.second_maximum},
          {"steps", steps_[i]}};
}

int64_t AdamW::state_bytes() const {
  int64_t total = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    for (const auto& [name, tensor] : states(i))
      total += name == "steps" ? 0 : static_cast<int64_t>(tensor.nbytes());
  }
  return total;
}

}  // namespace qslaw
