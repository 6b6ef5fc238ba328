#include "kernels/adamw_int8.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/adamw_int8_cpu.h"
#include "kernels/cuda_call.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

constexpr int64_t kBlockGrain = 32;

int64_t count_blocks(const at::Tensor& tensor) {
  return (tensor.numel() + kMomentBlock - 1) / kMomentBlock;
}

// Values in memory order as rows of one block each, the last one filled up with zeros.
at::Tensor as_blocks(const at::Tensor& tensor) {
  const int64_t missing = count_blocks(tensor) * kMomentBlock - tensor.numel();
  return at::constant_pad_nd(tensor.reshape({-1}), {0, missing}).view({-1, kMomentBlock});
}

at::Tensor fourth_power(const at::Tensor& x) {
  const at::Tensor square = x * x;
  return square * square;
}

at::Tensor decoded(const at::Tensor& codes, double top, const at::Tensor& maximum) {
  const at::Tensor wide = codes.to(at::kFloat);
  return fourth_power(wide / top) * wide.sign() * maximum.unsqueeze(1);
}

// 32-bit arithmetic in 64 bits.
at::Tensor random_fraction(const at::Tensor& seed) {
  const auto mixed = [](const at::Tensor& z, int64_t shift, int64_t factor) {
    return z.bitwise_xor(z.bitwise_right_shift(shift)).mul(factor).bitwise_and(0xFFFFFFFFLL);
  };
  at::Tensor z = mixed(mixed(seed.bitwise_and(0xFFFFFFFFLL), 16, 0x21F0AAADLL), 15, 0xD35A2D97LL);
  z = z.bitwise_xor(z.bitwise_right_shift(15));
  return z.bitwise_right_shift(8).to(at::kFloat) * 0x1p-24;
}

at::Tensor random_code(const at::Tensor& share, double top, const at::Tensor& fraction) {
  const at::Tensor below = (share.sqrt().sqrt() * top).floor().clamp_max(top - 1.0);
  const at::Tensor low = fourth_power(below / top), high = fourth_power((below + 1.0) / top);
  return below + (fraction * (high - low) < share - low).to(at::kFloat);
}

at::Tensor unit_of(const at::Tensor& maximum) {
  return at::where(maximum > 0, maximum, at::ones_like(maximum)).unsqueeze(1);
}

at::Tensor without_padding(const at::Tensor& blocks, const at::Tensor& like) {
  return blocks.view({-1}).narrow(0, 0, like.numel()).view(like.sizes());
}

void store_codes(const at::Tensor& m, const at::Tensor& v, uint32_t random, Int8Moments& moments) {
  moments.first_maximum.copy_(m.abs().amax(1));
  moments.second_maximum.copy_(v.amax(1));
  const at::Tensor seed =
      (at::arange(m.numel(), m.options().dtype(at::kLong)) * 2 + static_cast<int64_t>(random)).view_as(m);
  const at::Tensor first =
      random_code(m.abs() / unit_of(moments.first_maximum), 127.0, random_fraction(seed));
  const at::Tensor level = random_code(v / unit_of(moments.second_maximum), 255.0, random_fraction(seed + 1));
  const at::Tensor second = at::where(v > 0, level.clamp_min(1.0), level);
  moments.first.copy_(without_padding(at::where(m < 0, -first, first), moments.first));
  moments.second.copy_(without_padding(second, moments.second));
}

}  // namespace

Int8Moments zero_moments(const at::Tensor& parameter) {
  const auto options = parameter.options().requires_grad(false);
  const int64_t blocks = count_blocks(parameter);
  return {at::zeros(parameter.sizes(), options.dtype(at::kChar)),
          at::zeros(parameter.sizes(), options.dtype(at::kByte)), at::zeros({blocks}, options),
          at::zeros({blocks}, options)};
}

void adamw_int8_step(at::Tensor& parameter, const at::Tensor& gradient, Int8Moments& moments,
                     const AdamWStep& step) {
  QSLAW_CHECK(parameter.is_contiguous() && parameter.scalar_type() == at::kFloat);
  QSLAW_CHECK(gradient.sizes() == parameter.sizes() && gradient.scalar_type() == at::kFloat);
  QSLAW_CHECK(gradient.device() == parameter.device() && moments.first.device() == parameter.device());
  const at::Tensor dense = gradient.contiguous();
  const int64_t n = parameter.numel();
  float* values = parameter.data_ptr<float>();
  const float* gradients = dense.const_data_ptr<float>();
  auto* first = moments.first.data_ptr<int8_t>();
  auto* second = moments.second.data_ptr<uint8_t>();
  float* first_maximum = moments.first_maximum.data_ptr<float>();
  float* second_maximum = moments.second_maximum.data_ptr<float>();
  if (parameter.is_cuda()) {
    cuda_call(parameter, "adamw_int8", [&](const CudaKernels& kernels, void* stream) {
      return kernels.adamw_int8(values, gradients, n, step, first, first_maximum, second, second_maximum,
                                stream);
    });
    return;
  }
  parallel_for(0, count_blocks(parameter), kBlockGrain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t at = block * kMomentBlock;
      cpu::adamw_int8_block(values + at, gradients + at, std::min(kMomentBlock, n - at),
                            static_cast<uint32_t>(at), step, first + at, first_maximum[block], second + at,
                            second_maximum[block]);
    }
  });
}

void adamw_int8_step_reference(at::Tensor& parameter, const at::Tensor& gradient, Int8Moments& moments,
                               const AdamWStep& step) {
  if (parameter.numel() == 0) return;
  const at::Tensor g = as_blocks(gradient), p = as_blocks(parameter.detach());
  const at::Tensor m =
      decoded(as_blocks(moments.first), 127.0, moments.first_maximum) * step.beta1 + g * (1.0F - step.beta1);
  const at::Tensor v = decoded(as_blocks(moments.second), 255.0, moments.second_maximum) * step.beta2 +
                       (g * g) * (1.0F - step.beta2);
  const at::Tensor moved = p * step.decay - m / (v.sqrt() / step.root + step.eps) * step.rate;
  parameter.copy_(without_padding(moved, parameter));
  store_codes(m, v, step.random, moments);
}

at::Tensor first_moment(const Int8Moments& moments) {
  return without_padding(decoded(as_blocks(moments.first), 127.0, moments.first_maximum), moments.first);
}

at::Tensor second_moment(const Int8Moments& moments) {
  return without_padding(decoded(as_blocks(moments.second), 255.0, moments.second_maximum), moments.second);
}

}  // namespace qslaw
