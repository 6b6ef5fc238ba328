#include "kernels/adamw.h"

#include <ATen/ATen.h>

namespace qslaw {

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    first_.push_back(at::zeros_like(parameter));
    second_.push_back(at::zeros_like(parameter));
    steps_.push_back(at::zeros({}, parameter.options().dtype(at::kFloat).requires_grad(false)));
  }
}

void AdamW::step(double lr) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters, gradients, first, second, steps;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    steps_[i].add_(1);
    parameters.push_back(parameters_[i]);
    gradients.push_back(parameters_[i].grad());
    first.push_back(first_[i]);
    second.push_back(second_[i]);
    steps.push_back(steps_[i]);
  }
  if (parameters.empty()) return;
  at::_fused_adamw_(parameters, gradients, first, second, {}, steps, lr, options_.beta1, options_.beta2,
                    options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false);
  for (at::Tensor& parameter : parameters)
    parameter.mutable_grad() = at::Tensor();
}

int64_t AdamW::state_bytes() const {
  int64_t total = 0;
  for (const auto* list : {&first_, &second_}) {
    for (const at::Tensor& tensor : *list)
      total += static_cast<int64_t>(tensor.nbytes());
  }
  return total;
}

}  // namespace qslaw
