#include "kernels/swiglu.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/swiglu_cpu.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 1 << 14;  // values per task: some microseconds

at::Tensor forward_values(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor out = at::empty_like(gate);
  if (gate.is_cuda()) {
    cuda_call(gate, "swiglu", [&](const CudaKernels& kernels, void* stream) {
      return kernels.swiglu(cuda_input(gate), cuda_input(up), gate.numel(), cuda_output(out), stream);
    });
    return out;
  }
  with_element_type(gate.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* g = gate.const_data_ptr<T>();
    const T* u = up.const_data_ptr<T>();
    T* to = out.data_ptr<T>();
    parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
      cpu::swiglu_row(g + begin, u + begin, end - begin, to + begin);
    });
  });
  return out;
}

std::pair<at::Tensor, at::Tensor> gradients_of(const at::Tensor& gate, const at::Tensor& up,
                                               const at::Tensor& dY) {
  at::Tensor dGate = at::empty_like(gate), dUp = at::empty_like(up);
  if (gate.is_cuda()) {
    cuda_call(gate, "swiglu_gradient", [&](const CudaKernels& kernels, void* stream) {
      return kernels.swiglu_gradient(cuda_input(gate), cuda_input(up), cuda_input(dY), gate.numel(),
                                     cuda_output(dGate), cuda_output(dUp), stream);
    });
    return {dGate, dUp};
  }
  with_element_type(gate.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* g = gate.const_data_ptr<T>();
    const T* u = up.const_data_ptr<T>();
    const T* d = dY.const_data_ptr<T>();
    T* to_gate = dGate.data_ptr<T>();
    T* to_up = dUp.data_ptr<T>();
    parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
      cpu::swiglu_row_gradient(g + begin, u + begin, d + begin, end - begin, to_gate + begin, to_up + begin);
    });
  });
  return {dGate, dUp};
}

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    const at::Tensor g = gate.contiguous(), u = up.contiguous();
    context->save_for_backward({g, u});
    return forward_values(g, u);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto [dGate, dUp] = gradients_of(saved[0], saved[1], gradients[0].contiguous());
    return {dGate, dUp};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  QSLAW_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type());
  QSLAW_CHECK(gate.device() == up.device());
  if (!has_kernels(gate)) return swiglu_reference(gate, up);
  return at::GradMode::is_enabled() ? Swiglu::apply(gate, up)
                                    : forward_values(gate.contiguous(), up.contiguous());
}

at::Tensor swiglu_reference(const at::Tensor& gate, const at::Tensor& up) {
  return at::silu(gate) * up;
}

}  // namespace qslaw
