#include "kernels/rms_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/rms_norm_cpu.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows whose weight gradients are summed one after another. Fixed, so that the sum does not depend on the
// number of threads.
constexpr int64_t kRowBlock = 64;

struct Normalized {
  at::Tensor y;
  at::Tensor inverse_rms_M;
};

Normalized forward_rows(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  const int64_t D = x.size(-1), M = D > 0 ? x.numel() / D : 0;
  Normalized out{at::empty_like(x), at::empty({M}, x.options().dtype(at::kFloat))};
  float* inverse_rms = out.inverse_rms_M.data_ptr<float>();
  if (x.is_cuda()) {
    cuda_call(x, "rms_norm", [&](const CudaKernels& kernels, void* stream) {
      return kernels.rms_norm(cuda_input(x), cuda_input(weight_D), {M, D}, static_cast<float>(eps),
                              cuda_output(out.y), inverse_rms, stream);
    });
    return out;
  }
  with_element_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    const T* weight = weight_D.const_data_ptr<T>();
    T* to = out.y.template data_ptr<T>();
    parallel_for(0, M, kRowBlock, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m)
        inverse_rms[m] = cpu::rms_norm_row(from + m * D, weight, D, static_cast<float>(eps), to + m * D);
    });
  });
  return out;
}

Normalized normalized(const at::Tensor& rows, const at::Tensor& weight_D, double eps) {
  return forward_rows(rows, weight_D.to(rows.scalar_type()).contiguous(), eps);
}

SumAndNorm cuda_add_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight_D,
                         double eps) {
  const int64_t D = x.size(-1), M = D > 0 ? x.numel() / D : 0;
  SumAndNorm out{at::empty_like(x), at::empty_like(x)};
  cuda_call(x, "add_rms_norm", [&](const CudaKernels& kernels, void* stream) {
    return kernels.add_rms_norm(cuda_input(x), cuda_input(delta), cuda_input(weight_D), {M, D},
                                static_cast<float>(eps), cuda_output(out.sum), cuda_output(out.norm), stream);
  });
  return out;
}

at::Tensor input_gradient(const at::Tensor& x, const at::Tensor& weight_D, const at::Tensor& dY,
                          const at::Tensor& inverse_rms_M) {
  const int64_t D = x.size(-1);
  at::Tensor dX = at::empty_like(x);
  const float* inverse_rms = inverse_rms_M.const_data_ptr<float>();
  if (x.is_cuda()) {
    cuda_call(x, "rms_norm_gradient", [&](const CudaKernels& kernels, void* stream) {
      return kernels.rms_norm_gradient(cuda_input(x), cuda_input(weight_D), cuda_input(dY),
                                       {inverse_rms_M.numel(), D}, inverse_rms, cuda_output(dX), stream);
    });
    return dX;
  }
  with_element_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    const T* weight = weight_D.const_data_ptr<T>();
    const T* gradient = dY.const_data_ptr<T>();
    T* to = dX.template data_ptr<T>();
    parallel_for(0, inverse_rms_M.numel(), kRowBlock, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m)
        cpu::rms_norm_row_gradient(from + m * D, weight, gradient + m * D, D, inverse_rms[m], to + m * D);
    });
  });
  return dX;
}

// float32 [D]: blocks of rows are summed on their own, then added up in order.
at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& dY, const at::Tensor& inverse_rms_M) {
  const int64_t D = x.size(-1), M = inverse_rms_M.numel(), blocks = (M + kRowBlock - 1) / kRowBlock;
  const auto options = x.options().dtype(at::kFloat);
  at::Tensor parts_CD = at::zeros({blocks, D}, options), total_D = at::zeros({D}, options);
  const float* inverse_rms = inverse_rms_M.const_data_ptr<float>();
  if (x.is_cuda()) {
    cuda_call(x, "rms_norm_weight_gradient", [&](const CudaKernels& kernels, void* stream) {
      return kernels.rms_norm_weight_gradient(cuda_input(x), cuda_input(dY), {M, D}, inverse_rms, kRowBlock,
                                              parts_CD.data_ptr<float>(), total_D.data_ptr<float>(), stream);
    });
    return total_D;
  }
  with_element_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    const T* gradient = dY.const_data_ptr<T>();
    float* parts = parts_CD.data_ptr<float>();
    parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin * kRowBlock; m < std::min(end * kRowBlock, M); ++m)
        cpu::rms_norm_add_weight_gradient(from + m * D, gradient + m * D, D, inverse_rms[m],
                                          parts + m / kRowBlock * D);
    });
  });
  for (int64_t block = 0; block < blocks; ++block)
    total_D.add_(parts_CD[block]);
  return total_D;
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight_D,
                            double eps) {
    const at::Tensor rows = x.contiguous();
    const Normalized out = normalized(rows, weight_D, eps);
    context->save_for_backward({rows, weight_D, out.inverse_rms_M});
    return out.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight_D = saved[1], &inverse_rms_M = saved[2];
    const at::Tensor dY = gradients[0].contiguous();
    at::Tensor dX, dWeight;
    if (context->needs_input_grad(0))
      dX = input_gradient(x, weight_D.to(x.scalar_type()).contiguous(), dY, inverse_rms_M);
    if (context->needs_input_grad(1))
      dWeight = weight_gradient(x, dY, inverse_rms_M).to(weight_D.scalar_type());
    return {dX, dWeight, {}};
  }
};

void check_operands(const at::Tensor& x, const at::Tensor& weight_D) {
  QSLAW_CHECK(x.dim() >= 1 && weight_D.sizes() == at::IntArrayRef({x.size(-1)}));
  QSLAW_CHECK(weight_D.device() == x.device());
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  check_operands(x, weight_D);
  if (!has_kernels(x)) return rms_norm_reference(x, weight_D, eps);
  // Without gradients the autograd node, which takes as long as a short row, is not made.
  return at::GradMode::is_enabled() ? RmsNorm::apply(x, weight_D, eps)
                                    : normalized(x.contiguous(), weight_D, eps).y;
}

SumAndNorm add_rms_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight_D,
                        double eps) {
  check_operands(x, weight_D);
  QSLAW_CHECK(delta.sizes() == x.sizes() && delta.scalar_type() == x.scalar_type() &&
              delta.device() == x.device());
  if (!x.is_cuda() || !has_kernels(x)) {
    const at::Tensor sum = x + delta;  // a CPU still has it in its cache for the norm
    return {sum, rms_norm(sum, weight_D, eps)};
  }
  return cuda_add_norm(x.contiguous(), delta.contiguous(), weight_D.to(x.scalar_type()).contiguous(), eps);
}

at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  const at::Tensor wide = x.to(wide_type(x));
  const at::Tensor normal = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
  return weight_D.to(x.scalar_type()) * normal.to(x.scalar_type());
}

}  // namespace qslaw
