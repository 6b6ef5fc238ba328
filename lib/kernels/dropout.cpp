#include "kernels/dropout.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/dropout_cpu.h"
#include "kernels/dropout_math.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

constexpr int64_t kGrain = 1 << 14;  // entries per task: some microseconds

// As the dtype holds it.
double factor_of(at::ScalarType dtype, double rate) {
  return at::scalar_tensor(1.0 / (1.0 - rate), at::TensorOptions().dtype(dtype)).item<double>();
}

Dropout dropout_of(const at::Tensor& x, double rate, uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), dropout_threshold(rate),
          static_cast<float>(factor_of(x.scalar_type(), rate))};
}

// In float64: by the device's own generator.
at::Tensor generated_dropout(const at::Tensor& x, double rate, uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(x.device()).clone();
  generator.set_current_seed(seed);
  return at::empty_like(x).bernoulli_(1.0 - rate, generator).mul_(factor_of(x.scalar_type(), rate)).mul_(x);
}

void check_operand(const at::Tensor& x, double rate) {
  QSLAW_CHECK(rate >= 0.0 && rate < 1.0 && x.numel() < (int64_t{1} << 32));
}

}  // namespace

at::Tensor dropout(const at::Tensor& x, double rate, uint64_t seed) {
  check_operand(x, rate);
  at::NoGradGuard no_grad;
  if (!has_kernels(x)) return generated_dropout(x, rate, seed);
  const at::Tensor dense = x.contiguous();
  at::Tensor out = at::empty_like(dense);
  const Dropout options = dropout_of(x, rate, seed);
  if (x.is_cuda()) {
    cuda_call(x, "dropout", [&](const CudaKernels& kernels, void* stream) {
      return kernels.dropout(cuda_input(dense), dense.numel(), options, cuda_output(out), stream);
    });
    return out;
  }
  with_element_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = dense.const_data_ptr<T>();
    T* to = out.data_ptr<T>();
    parallel_for(0, dense.numel(), kGrain, [&](int64_t begin, int64_t end) {
      cpu::drop(from + begin, static_cast<uint32_t>(begin), end - begin, options, to + begin);
    });
  });
  return out;
}

void add_dropout(at::Tensor& sum, const at::Tensor& x, double rate, uint64_t seed) {
  check_operand(x, rate);
  QSLAW_CHECK(sum.is_contiguous() && x.is_contiguous() && sum.sizes() == x.sizes() &&
              sum.scalar_type() == x.scalar_type());
  at::NoGradGuard no_grad;
  if (!has_kernels(x)) {
    sum.add_(generated_dropout(x, rate, seed));
    return;
  }
  const Dropout options = dropout_of(x, rate, seed);
  if (x.is_cuda()) {
    cuda_call(x, "add_dropout", [&](const CudaKernels& kernels, void* stream) {
      return kernels.add_dropout(cuda_input(x), x.numel(), options, cuda_output(sum), stream);
    });
    return;
  }
  with_element_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    T* to = sum.data_ptr<T>();
    parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      cpu::add_drop(from + begin, static_cast<uint32_t>(begin), end - begin, options, to + begin);
    });
  });
}

}  // namespace qslaw
