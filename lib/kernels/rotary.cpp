#include "kernels/rotary.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstring>

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

void check_stored(const at::Tensor& new_B1M, const at::Tensor& cache_BGTS) {
  QSLAW_CHECK(cache_BGTS.dim() == 4 && cache_BGTS.is_contiguous());
  QSLAW_CHECK(new_B1M.sizes() ==
              at::IntArrayRef({cache_BGTS.size(0), 1, cache_BGTS.size(1) * cache_BGTS.size(3)}));
  QSLAW_CHECK(new_B1M.scalar_type() == cache_BGTS.scalar_type() && new_B1M.device() == cache_BGTS.device());
}

void check_token(const NewToken& token, const at::Tensor& cos, const at::Tensor& sin,
                 const at::Tensor& slots_B, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS) {
  check_stored(token.k_B1M, keys_BGTS);
  check_stored(token.v_B1M, values_BGTS);
  const int64_t B = keys_BGTS.size(0), S = keys_BGTS.size(3);
  const at::Tensor& q = token.q_B1N;
  QSLAW_CHECK(keys_BGTS.sizes() == values_BGTS.sizes() && S > 0);
  QSLAW_CHECK(q.dim() == 3 && q.size(0) == B && q.size(1) == 1 && q.size(2) % S == 0 && S % 2 == 0);
  QSLAW_CHECK(cos.sizes() == at::IntArrayRef({B, 1, 1, S}) && sin.sizes() == cos.sizes());
  QSLAW_CHECK(slots_B.sizes() == at::IntArrayRef({B}) && slots_B.scalar_type() == at::kLong);
  for (const at::Tensor& other : {token.k_B1M, token.v_B1M, cos, sin})
    QSLAW_CHECK(other.scalar_type() == q.scalar_type() && other.device() == q.device());
  QSLAW_CHECK(slots_B.device() == q.device());
}

void store_rows(const at::Tensor& new_B1M, const at::Tensor& slots_B, at::Tensor& cache_BGTS) {
  const int64_t B = cache_BGTS.size(0), G = cache_BGTS.size(1), T = cache_BGTS.size(2);
  const auto bytes = static_cast<size_t>(cache_BGTS.size(3) * cache_BGTS.element_size());
  const char* token = static_cast<const char*>(new_B1M.const_data_ptr());
  char* cache = static_cast<char*>(cache_BGTS.mutable_data_ptr());
  for (int64_t row = 0; row < B * G; ++row) {
    const int64_t slot = slots_B.const_data_ptr<int64_t>()[row / G];
    QSLAW_CHECK(slot >= 0 && slot < T);
    std::memcpy(cache + static_cast<size_t>(row * T + slot) * bytes, token + static_cast<size_t>(row) * bytes,
                bytes);
  }
}

at::Tensor cuda_rotate_and_store(const NewToken& token, const at::Tensor& cos, const at::Tensor& sin,
                                 const at::Tensor& slots_B, at::Tensor& keys_BGTS, at::Tensor& values_BGTS) {
  const int64_t B = keys_BGTS.size(0), S = keys_BGTS.size(3), H = token.q_B1N.size(2) / S;
  const at::Tensor q = token.q_B1N.contiguous(), k = token.k_B1M.contiguous(), v = token.v_B1M.contiguous();
  const at::Tensor c = cos.contiguous(), s = sin.contiguous(), slots = slots_B.contiguous();
  at::Tensor rotated_B1N = at::empty_like(q);
  const CudaNewToken shape{B, H, keys_BGTS.size(1), keys_BGTS.size(2), S / 2};
  cuda_call(q, "rotate_and_store", [&](const CudaKernels& kernels, void* stream) {
    return kernels.rotate_and_store(cuda_input(q), cuda_input(k), cuda_input(v), cuda_input(c), cuda_input(s),
                                    slots.const_data_ptr<int64_t>(), shape, cuda_output(rotated_B1N),
                                    cuda_output(keys_BGTS), cuda_output(values_BGTS), stream);
  });
  return rotated_B1N.view({B, H, 1, S});
}

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

at::Tensor rotate_and_store(const NewToken& token, const at::Tensor& cos, const at::Tensor& sin,
                            const at::Tensor& slots_B, at::Tensor& keys_BGTS, at::Tensor& values_BGTS) {
  check_token(token, cos, sin, slots_B, keys_BGTS, values_BGTS);
  if (token.q_B1N.is_cuda()) return cuda_rotate_and_store(token, cos, sin, slots_B, keys_BGTS, values_BGTS);
  const at::Tensor slots = slots_B.contiguous();
  store_rows(rotate_heads(token.k_B1M, keys_BGTS.size(1), cos, sin).contiguous(), slots, keys_BGTS);
  store_rows(token.v_B1M.contiguous(), slots, values_BGTS);
  return rotate_heads(token.q_B1N, token.q_B1N.size(2) / keys_BGTS.size(3), cos, sin);
}

}  // namespace qslaw
