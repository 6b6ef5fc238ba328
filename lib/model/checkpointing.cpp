#include "model/checkpointing.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using BlockFunction = std::function<at::Tensor(const at::Tensor&)>;

thread_local bool backward_follows = false;

// Carries a C++ callable through the autograd context.
struct HeldFunction : torch::CustomClassHolder {
  explicit HeldFunction(BlockFunction f) : fn(std::move(f)) {}
  BlockFunction fn;
};

struct Checkpoint : torch::autograd::Function<Checkpoint> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const BlockFunction* fn) {
    context->save_for_backward({x});
    context->saved_data["fn"] = c10::IValue::make_capsule(c10::make_intrusive<HeldFunction>(*fn));
    at::NoGradGuard no_grad;
    return (*fn)(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held = c10::static_intrusive_pointer_cast<HeldFunction>(context->saved_data["fn"].toCapsule());
    at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    at::Tensor y;
    {
      const at::AutoGradMode with_grad(true);
      const BackwardFollows follows;  // not while it runs itself
      y = held->fn(x);
    }
    torch::autograd::backward({y}, {gradients[0]});
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

BackwardFollows::BackwardFollows() : outer_(backward_follows) {
  backward_follows = true;
}

BackwardFollows::~BackwardFollows() {
  backward_follows = outer_;
}

bool BackwardFollows::here() {
  return backward_follows;
}

at::Tensor run_checkpointed(const BlockFunction& fn, const at::Tensor& x) {
  if (!at::GradMode::is_enabled()) return fn(x);
  // Without this a frozen input would cut the trainable weights inside fn off the graph.
  const at::Tensor tracked = x.requires_grad() ? x : x.detach().requires_grad_(true);
  return Checkpoint::apply(tracked, &fn);
}

}  // namespace qslaw
