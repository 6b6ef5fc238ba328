#include "kernels/cross_entropy.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "core/error.h"
#include "kernels/cross_entropy_cpu.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A product of fewer rows would read the head too often, and one of other multiples leaves its tiles half
// empty.
constexpr int64_t kRowMultiple = 64;

int64_t rows_at_a_time(const at::Tensor& hidden_MD, const at::Tensor& head_VD, int64_t logit_bytes) {
  const auto row_bytes = head_VD.size(0) * static_cast<int64_t>(hidden_MD.element_size());
  const int64_t rows = logit_bytes / std::max<int64_t>(row_bytes, 1);
  return std::max(kRowMultiple, rows / kRowMultiple * kRowMultiple);
}

// Loops over raw memory do not see a wrong index. On a GPU the answer has to be waited for.
bool are_inside(const at::Tensor& targets_M, int64_t V) {
  return !at::logical_or(targets_M < 0, targets_M >= V).any().item<bool>();
}

// Losses of a chunk of m tokens. With scale_m its logits are replaced by scale * their gradients.
void cpu_chunk(at::Tensor& logits_mV, const at::Tensor& targets_m, const at::Tensor& scale_m,
               at::Tensor& nll_m) {
  const int64_t V = logits_mV.size(1);
  const int64_t* targets = targets_m.const_data_ptr<int64_t>();
  const float* scale = scale_m.defined() ? scale_m.const_data_ptr<float>() : nullptr;
  float* nll = nll_m.data_ptr<float>();
  with_element_type(logits_mV.scalar_type(), [&](auto zero) {
    auto* logits = logits_mV.data_ptr<decltype(zero)>();
    parallel_for(0, logits_mV.size(0), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(static_cast<size_t>(V));
      for (int64_t m = begin; m < end; ++m) {
        float sum = 0.0F;
        nll[m] = cpu::token_loss(logits + m * V, V, targets[m], scratch.data(), sum);
        if (scale) cpu::token_gradient(scratch.data(), V, targets[m], sum, scale[m], logits + m * V);
      }
    });
  });
}

void cuda_chunk(at::Tensor& logits_mV, const at::Tensor& targets_m, const at::Tensor& scale_m,
                at::Tensor& nll_m) {
  cuda_call(logits_mV, "token_loss", [&](const CudaKernels& kernels, void* stream) {
    return kernels.token_loss(
        cuda_output(logits_mV), targets_m.const_data_ptr<int64_t>(), {logits_mV.size(0), logits_mV.size(1)},
        scale_m.defined() ? scale_m.const_data_ptr<float>() : nullptr, nll_m.data_ptr<float>(), stream);
  });
}

// The same in LibTorch's operators, for float64.
void plain_chunk(at::Tensor& logits_mV, const at::Tensor& targets_m, const at::Tensor& scale_m,
                 at::Tensor& nll_m) {
  const at::Tensor where_m1 = targets_m.unsqueeze(1);
  at::Tensor log_p_mV = at::log_softmax(logits_mV, 1, wide_type(logits_mV));
  nll_m.copy_(log_p_mV.gather(1, where_m1).squeeze(1).neg());
  if (!scale_m.defined()) return;
  const at::Tensor p_mV = log_p_mV.exp_();
  p_mV.scatter_add_(1, where_m1, at::full_like(where_m1, -1.0, p_mV.options()));
  logits_mV.copy_(p_mV.mul_(scale_m.unsqueeze(1)));
}

void softmax_chunk(at::Tensor logits_mV, const at::Tensor& targets_m, const at::Tensor& scale_m,
                   at::Tensor nll_m) {
  const auto chunk = !has_kernels(logits_mV) ? plain_chunk : logits_mV.is_cuda() ? cuda_chunk : cpu_chunk;
  chunk(logits_mV, targets_m, scale_m, nll_m);
}

struct Chunks {
  const at::Tensor &hidden_MD, &weight_VD, &targets_M;  // contiguous; weight in hidden's dtype
  int64_t rows;

  // fn(first token, hidden of the chunk, its logits) chunk by chunk, the logits being fn's to overwrite.
  template <typename Fn>
  void for_each(const Fn& fn) const {
    const int64_t M = hidden_MD.size(0), V = weight_VD.size(0);
    const at::Tensor buffer_mV = at::empty({std::min(rows, M), V}, hidden_MD.options());
    for (int64_t begin = 0; begin < M; begin += rows) {
      const int64_t count = std::min(rows, M - begin);
      const at::Tensor hidden_mD = hidden_MD.narrow(0, begin, count);
      at::Tensor logits_mV = buffer_mV.narrow(0, 0, count);
      at::mm_out(logits_mV, hidden_mD, weight_VD.t());
      fn(begin, hidden_mD, logits_mV);
    }
  }
};

// Gradient of hidden for incoming gradients of 1, or undefined when it is not wanted; fills nll_M.
at::Tensor forward_chunks(const Chunks& chunks, at::Tensor& nll_M, bool want_gradient) {
  at::Tensor dHidden_MD;
  if (want_gradient) dHidden_MD = at::empty_like(chunks.hidden_MD);
  const at::Tensor ones_M = want_gradient ? at::ones_like(nll_M) : at::Tensor();
  chunks.for_each([&](int64_t begin, const at::Tensor& hidden_mD, const at::Tensor& logits_mV) {
    const int64_t count = hidden_mD.size(0);
    const at::Tensor scale_m = want_gradient ? ones_M.narrow(0, begin, count) : at::Tensor();
    softmax_chunk(logits_mV, chunks.targets_M.narrow(0, begin, count), scale_m,
                  nll_M.narrow(0, begin, count));
    if (!want_gradient) return;
    at::Tensor dHidden_mD = dHidden_MD.narrow(0, begin, count);
    at::mm_out(dHidden_mD, logits_mV, chunks.weight_VD);
  });
  return dHidden_MD;
}

// Each row of dHidden times its token's incoming gradient.
at::Tensor scale_rows(const at::Tensor& rows_MD, const at::Tensor& scale_M) {
  if (!has_kernels(rows_MD)) return (rows_MD * scale_M.unsqueeze(1)).to(rows_MD.scalar_type());
  const int64_t D = rows_MD.size(1);
  at::Tensor out_MD = at::empty_like(rows_MD);
  const float* scale = scale_M.const_data_ptr<float>();
  if (rows_MD.is_cuda()) {
    cuda_call(rows_MD, "scale_rows", [&](const CudaKernels& kernels, void* stream) {
      return kernels.scale_rows(cuda_input(rows_MD), scale, {rows_MD.size(0), D}, cuda_output(out_MD),
                                stream);
    });
    return out_MD;
  }
  with_element_type(rows_MD.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = rows_MD.const_data_ptr<T>();
    T* to = out_MD.data_ptr<T>();
    parallel_for(0, rows_MD.size(0), 64, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m)
        cpu::scale_row(from + m * D, D, scale[m], to + m * D);
    });
  });
  return out_MD;
}

struct Gradients {
  at::Tensor hidden_MD;  // undefined where not wanted
  at::Tensor head_VD;
};

// With a trained head: logits once more, both gradients from them. The head's is summed in float32.
Gradients backward_chunks(const Chunks& chunks, const at::Tensor& scale_M, bool want_hidden) {
  Gradients out{{},
                at::zeros(chunks.weight_VD.sizes(), chunks.weight_VD.options().dtype(wide_type(scale_M)))};
  if (want_hidden) out.hidden_MD = at::empty_like(chunks.hidden_MD);
  at::Tensor nll_M = at::empty_like(scale_M);
  chunks.for_each([&](int64_t begin, const at::Tensor& hidden_mD, const at::Tensor& logits_mV) {
    const int64_t count = hidden_mD.size(0);
    softmax_chunk(logits_mV, chunks.targets_M.narrow(0, begin, count), scale_M.narrow(0, begin, count),
                  nll_M.narrow(0, begin, count));
    out.head_VD.add_(at::mm(logits_mV.t(), hidden_mD));
    if (!want_hidden) return;
    at::Tensor dHidden_mD = out.hidden_MD.narrow(0, begin, count);
    at::mm_out(dHidden_mD, logits_mV, chunks.weight_VD);
  });
  return out;
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_MD, const at::Tensor& head_VD,
                            const at::Tensor& targets_M, int64_t rows, bool trains_head, bool trains_hidden) {
    const at::Tensor hidden = hidden_MD.contiguous();
    const at::Tensor weight_VD = head_VD.to(hidden.scalar_type()).contiguous();
    at::Tensor nll_M = at::empty({hidden.size(0)}, hidden.options().dtype(wide_type(hidden)));
    const at::Tensor unit_MD =
        forward_chunks({hidden, weight_VD, targets_M, rows}, nll_M, trains_hidden && !trains_head);
    context->saved_data["rows"] = rows;
    context->saved_data["trains_head"] = trains_head;
    if (trains_head) {
      context->save_for_backward({hidden, head_VD, targets_M});
    } else {
      context->save_for_backward({unit_MD});
    }
    return nll_M;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor scale_M = gradients[0].contiguous();
    if (!context->saved_data["trains_head"].toBool())
      return {scale_rows(saved[0], scale_M), {}, {}, {}, {}, {}};
    const at::Tensor weight_VD = saved[1].to(saved[0].scalar_type()).contiguous();
    const Gradients out =
        backward_chunks({saved[0], weight_VD, saved[2], context->saved_data["rows"].toInt()}, scale_M,
                        context->needs_input_grad(0));
    return {out.hidden_MD, out.head_VD.to(saved[1].scalar_type()), {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& hidden_MD, const at::Tensor& head_VD,
                                const at::Tensor& targets_M, int64_t logit_bytes) {
  QSLAW_CHECK(hidden_MD.dim() == 2 && hidden_MD.size(1) == head_VD.size(1));
  QSLAW_CHECK(targets_M.dim() == 1 && targets_M.size(0) == hidden_MD.size(0));
  QSLAW_CHECK(targets_M.scalar_type() == at::kLong);
  QSLAW_CHECK(targets_M.is_cpu() || targets_M.device() == hidden_MD.device());
  QSLAW_CHECK(are_inside(targets_M, head_VD.size(0)));
  const bool training = at::GradMode::is_enabled();
  return LinearCrossEntropy::apply(hidden_MD, head_VD, targets_M.to(hidden_MD.device()).contiguous(),
                                   rows_at_a_time(hidden_MD, head_VD, logit_bytes),
                                   training && head_VD.requires_grad(),
                                   training && hidden_MD.requires_grad());
}

at::Tensor linear_cross_entropy_reference(const at::Tensor& hidden_MD, const at::Tensor& head_VD,
                                          const at::Tensor& targets_M) {
  const at::Tensor logits_MV = at::linear(hidden_MD, head_VD.to(hidden_MD.scalar_type()));
  return at::cross_entropy_loss(logits_MV.to(wide_type(logits_MV)), targets_M, {}, at::Reduction::None);
}

}  // namespace qslaw
