#include "kernels/rotary.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/rotary_cpu.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kTokenGrain = 32;

// x: contiguous [B, T, H, S]; the result too.
at::Tensor rotate_tokens(const at::Tensor& x_BTHS, const at::Tensor& cos, const at::Tensor& sin,
                         float direction) {
  const int64_t T = x_BTHS.size(1), H = x_BTHS.size(2), S = x_BTHS.size(3);
  const bool per_row = cos.dim() == 4;
  at::Tensor out_BTHS = at::empty_like(x_BTHS);
  if (x_BTHS.is_cuda()) {
    const int64_t tokens = x_BTHS.size(0) * T;
    cuda_call(x_BTHS, "rotate_heads", [&](const CudaKernels& kernels, void* stream) {
      return kernels.rotate_heads(cuda_input(x_BTHS), cuda_input(cos), cuda_input(sin),
                                  {tokens, H, S / 2, per_row ? tokens : T, direction}, cuda_output(out_BTHS),
                                  stream);
    });
    return out_BTHS;
  }
  with_element_type(x_BTHS.scalar_type(), [&](auto zero) {
    using Value = decltype(zero);
    const Value* from = x_BTHS.const_data_ptr<Value>();
    const Value* c = cos.const_data_ptr<Value>();
    const Value* s = sin.const_data_ptr<Value>();
    Value* to = out_BTHS.data_ptr<Value>();
    parallel_for(0, x_BTHS.size(0) * T, kTokenGrain, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        const int64_t entry = (per_row ? token : token % T) * S;
        cpu::rotate_token(from + token * H * S, c + entry, s + entry, H, S / 2, direction,
                          to + token * H * S);
      }
    });
  });
  return out_BTHS;
}

// [B, H, T, S] from a projection's output.
at::Tensor rotated(const at::Tensor& x_BTN, int64_t heads, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor x = x_BTN.contiguous();
  const at::Tensor x_BTHS = x.view({x.size(0), x.size(1), heads, x.size(2) / heads});
  return rotate_tokens(x_BTHS, cos, sin, 1.0F).transpose(1, 2);
}

struct Rotation : torch::autograd::Function<Rotation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTN, int64_t heads,
                            const at::Tensor& cos, const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotated(x_BTN, heads, cos, sin);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor dY_BTHS = gradients[0].transpose(1, 2).contiguous();
    return {rotate_tokens(dY_BTHS, saved[0], saved[1], -1.0F).flatten(2), {}, {}, {}};
  }
};

}  // namespace

at::Tensor rotate_heads(const at::Tensor& x_BTN, int64_t heads, const at::Tensor& cos,
                        const at::Tensor& sin) {
  QSLAW_CHECK(x_BTN.dim() == 3 && x_BTN.size(2) == heads * cos.size(-1) && cos.size(-1) % 2 == 0);
  QSLAW_CHECK(cos.scalar_type() == x_BTN.scalar_type() && sin.scalar_type() == x_BTN.scalar_type());
  QSLAW_CHECK(sin.sizes() == cos.sizes() && cos.device() == x_BTN.device() && sin.device() == cos.device());
  QSLAW_CHECK(cos.size(-2) == x_BTN.size(1) && (cos.dim() == 2 || cos.size(0) == x_BTN.size(0)));
  if (!has_kernels(x_BTN)) return rotate_heads_reference(x_BTN, heads, cos, sin);
  const at::Tensor c = cos.contiguous(), s = sin.contiguous();
  return at::GradMode::is_enabled() ? Rotation::apply(x_BTN, heads, c, s) : rotated(x_BTN, heads, c, s);
}

at::Tensor rotate_heads_reference(const at::Tensor& x_BTN, int64_t heads, const at::Tensor& cos,
                                  const at::Tensor& sin) {
  const at::Tensor x_BHTS = x_BTN.view({x_BTN.size(0), x_BTN.size(1), heads, cos.size(-1)}).transpose(1, 2);
  const auto halves = x_BHTS.chunk(2, -1);
  return x_BHTS * cos + at::cat({-halves[1], halves[0]}, -1) * sin;
}

}  // namespace qslaw
