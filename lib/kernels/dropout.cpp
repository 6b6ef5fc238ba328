#include "kernels/dropout.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/dropout_cpu.h"
#include "kernels/dropout_math.h"
#include "kernels/float_types.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

constexpr int64_t kGrain = 1 << 14;  // entries per task: some microseconds

// As the dtype holds it.
double factor_of(at::ScalarType dtype, double rate) {
  return at::scalar_tensor(1.0 / (1.0 - rate), at::TensorOptions().dtype(dtype)).item<double>();
}

cpu::Dropout dropout_of(const at::Tensor& x, double rate, uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), dropout_threshold(rate),
          static_cast<float>(factor_of(x.scalar_type(), rate))};
}

// By the device's own generator.
at::Tensor device_dropout(const at::Tensor& x, double rate, uint64_t seed) {
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
  if (!has_cpu_loops(x)) return device_dropout(x, rate, seed);
  const at::Tensor dense = x.contiguous();
  at::Tensor out = at::empty_like(dense);
  const cpu::Dropout options = dropout_of(x, rate, seed);
  with_float_type(x.scalar_type(), [&](auto zero) {
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
  if (!has_cpu_loops(x)) {
    sum.add_(device_dropout(x, rate, seed));
    return;
  }
  const cpu::Dropout options = dropout_of(x, rate, seed);
  with_float_type(x.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    T* to = sum.data_ptr<T>();
    parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      cpu::add_drop(from + begin, static_cast<uint32_t>(begin), end - begin, options, to + begin);
    });
  });
}

}  // namespace qslaw
