// The operators' public functions on a GPU, where there is one, against the same on the CPU. Elsewhere
// cuda_step_test.cpp, cuda_row_test.cpp, cuda_activation_test.cpp, cuda_decode_test.cpp and
// cuda_product_test.cpp run their code.
#include "core/error.h"
#include "gpu_case.h"
#include "kernels/activation_quant.h"
#include "kernels/adamw_int8.h"
#include "kernels/cross_entropy.h"
#include "kernels/decode_attention.h"
#include "kernels/dropout.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/swiglu.h"
#include "product_case.h"
#include "step_case.h"
#include "token_case.h"

using namespace qslaw;

namespace {

Tensors on_gpu(const Tensors& tensors) {
  Tensors moved;
  for (const at::Tensor& tensor : tensors)
    moved.push_back(tensor.to(at::kCUDA));
  return moved;
}

Outcome on_cpu(const Outcome& outcome) {
  Outcome moved{outcome.y.cpu(), {}};
  for (const at::Tensor& gradient : outcome.gradients)
    moved.gradients.push_back(gradient.defined() ? gradient.cpu() : gradient);
  return moved;
}

// The operator on the GPU: twice the same bits, and the CPU's within `bits` last bits of the largest value.
void require_same_on_gpu(const Operator& fn, const Tensors& inputs, const at::Tensor& dY, double bits) {
  const Outcome expected = run_operator(fn, inputs, dY);
  const Outcome actual = on_cpu(run_operator(fn, on_gpu(inputs), dY.to(at::kCUDA)));
  require_close(actual, expected, bits);
  require_same_bits(on_cpu(run_operator(fn, on_gpu(inputs), dY.to(at::kCUDA))), actual);
}

}  // namespace

TEST_CASE("a GPU's SwiGLU, RMS norm and cross-entropy agree with the CPU's", "[gpu][shared]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [M, D] = GENERATE(std::pair{300, 4096}, std::pair{1, 7}, std::pair{65, 33}, std::pair{0, 16});
  INFO("dtype " << dtype << ", " << M << " x " << D);
  at::manual_seed(1);
  const at::Tensor x = (at::randn({M, D}) * 3.0).to(dtype), dY = at::randn({M, D}).to(dtype);
  const double bits = dtype == at::kFloat ? 64.0 : 2.0;  // sums in another order, products of LibTorch
  require_same_on_gpu([](const Tensors& in) { return swiglu(in[0], in[1]); }, {x, dY}, dY, bits);
  require_same_on_gpu([](const Tensors& in) { return rms_norm(in[0], in[1], 1e-5); },
                      {x, at::randn({D}).to(dtype)}, dY, bits);
  const at::Tensor head = (at::randn({515, D}) / std::sqrt(static_cast<double>(D))).to(dtype);
  require_same_on_gpu([](const Tensors& in) { return linear_cross_entropy(in[0], in[1], in[2]); },
                      {x, head, at::randint(0, 515, {M}, at::kLong)}, at::randn({M}), bits);
}

TEST_CASE("a GPU's sum and its RMS norm in one kernel have the bits of the two operators",
          "[gpu][shared][first]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [M, D] = GENERATE(std::pair{1, 4096}, std::pair{33, 5120}, std::pair{3, 7}, std::pair{0, 16});
  INFO("dtype " << dtype << ", " << M << " x " << D);
  at::manual_seed(1);
  const auto draw = [&](at::IntArrayRef shape) { return at::randn(shape).to(dtype).to(at::kCUDA); };
  const at::Tensor x = draw({M, D}), delta = draw({M, D}), weight = draw({D});
  const auto [sum, norm] = add_rms_norm(x, delta, weight, 1e-5);
  CHECK(equal_bits(sum.cpu(), (x + delta).cpu()));
  CHECK(equal_bits(norm.cpu(), rms_norm(x + delta, weight, 1e-5).cpu()));
}

TEST_CASE("a GPU's cross-entropy takes targets from the CPU", "[gpu]") {
  if (!has_gpu()) return;
  const at::Tensor hidden = at::randn({70, 32}).to(at::kCUDA), head = at::randn({100, 32}).to(at::kCUDA);
  const at::Tensor targets = at::randint(0, 100, {70}, at::kLong);
  const at::Tensor nll = linear_cross_entropy(hidden, head, targets);
  CHECK(nll.is_cuda());
  CHECK(at::equal(nll, linear_cross_entropy(hidden, head, targets.to(at::kCUDA))));
  CHECK_THROWS_AS(linear_cross_entropy(hidden, head, targets + 100), InternalError);
}

TEST_CASE("a GPU's rotation and dropout have the CPU's bits", "[gpu]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  at::manual_seed(1);
  const at::Tensor angles = at::randn({130, 64}).repeat({1, 2});
  const Operator rotate = [&](const Tensors& in) {
    const auto table = [&](const at::Tensor& t) { return t.to(in[0].device(), dtype); };
    return rotate_heads(in[0], 4, table(angles.cos()), table(angles.sin()));
  };
  require_same_on_gpu(rotate, {at::randn({2, 130, 512}).to(dtype)}, at::randn({2, 4, 130, 128}).to(dtype),
                      0.0);
  constexpr uint64_t kSeed = 0x123456789abcdef0ULL;
  const at::Tensor x = at::randn({37, 1001}).to(dtype), expected = dropout(x, 0.1, kSeed);
  CHECK(equal_bits(dropout(x.to(at::kCUDA), 0.1, kSeed).cpu(), expected));
  at::Tensor sum = at::ones_like(x), gpu_sum = sum.to(at::kCUDA);
  add_dropout(sum, x, 0.1, kSeed);
  add_dropout(gpu_sum, x.to(at::kCUDA), 0.1, kSeed);
  CHECK(equal_bits(gpu_sum.cpu(), sum));
}

TEST_CASE("a GPU turns and stores a new token with the CPU's bits", "[gpu][first]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [B, H, G, T, S] = GENERATE(std::tuple{1, 32, 32, 700, 128}, std::tuple{3, 8, 2, 65, 64},
                                        std::tuple{2, 3, 1, 1, 6}, std::tuple{0, 2, 2, 4, 8});
  INFO("dtype " << dtype << ", B " << B << " H " << H << " G " << G << " T " << T << " S " << S);
  TokenCase c = token_case(B, H, G, T, S, dtype);
  const auto gpu = [](const at::Tensor& t) { return t.to(at::kCUDA); };
  at::Tensor gpu_keys = gpu(c.keys_BGTS), gpu_values = gpu(c.values_BGTS);
  const NewToken token{gpu(c.token.q_B1N), gpu(c.token.k_B1M), gpu(c.token.v_B1M)};
  const at::Tensor actual =
      rotate_and_store(token, gpu(c.cos), gpu(c.sin), gpu(c.slots_B), gpu_keys, gpu_values);
  const at::Tensor expected = rotate_and_store(c.token, c.cos, c.sin, c.slots_B, c.keys_BGTS, c.values_BGTS);
  CHECK(equal_bits(actual.cpu(), expected));
  CHECK(equal_bits(gpu_keys.cpu(), c.keys_BGTS));
  CHECK(equal_bits(gpu_values.cpu(), c.values_BGTS));
}

TEST_CASE("a GPU's AdamW with moments of 8 bits has the CPU's bits", "[gpu][shared]") {
  if (!has_gpu()) return;
  at::manual_seed(1);
  at::Tensor expected = at::randn({70, 131}), actual = expected.to(at::kCUDA);
  Int8Moments expected_moments = zero_moments(expected), moments = zero_moments(actual);
  for (uint32_t t = 1; t <= 5; ++t) {
    const at::Tensor gradient = at::randn({70, 131});
    const AdamWStep step{0.9F, 0.999F, 0.99F, 0.1F, 0.5F, 1e-8F, t * 2654435761U};
    adamw_int8_step(expected, gradient, expected_moments, step);
    adamw_int8_step(actual, gradient.to(at::kCUDA), moments, step);
    CHECK(equal_bits(actual.cpu(), expected));
    CHECK(equal_bits(moments.first.cpu(), expected_moments.first));
    CHECK(equal_bits(moments.second.cpu(), expected_moments.second));
  }
}

TEST_CASE("a GPU's quantization of activations has the CPU's bits", "[gpu][shared]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto axis = GENERATE(ActivationAxis::tensor, ActivationAxis::token, ActivationAxis::channel);
  const auto [M, K] = GENERATE(std::pair{133, 515}, std::pair{134, 512}, std::pair{2064, 512});
  INFO("dtype " << dtype << ", axis " << static_cast<int>(axis) << ", " << M << " x " << K);
  at::manual_seed(1);
  const at::Tensor x = (at::randn({M, K}) * 3).to(dtype), gpu_x = x.to(at::kCUDA);
  const ActivationFormat format{8, axis, false};
  const ActivationGrid grid = activation_grid(activation_range(x, axis), format);
  const ActivationGrid gpu_grid = activation_grid(activation_range(gpu_x, axis), format);
  CHECK(equal_bits(gpu_grid.scale.cpu(), grid.scale));
  CHECK(equal_bits(gpu_grid.zero.cpu(), grid.zero));
  const at::Tensor codes = quantize_activation(x, grid, 8),
                   gpu_codes = quantize_activation(gpu_x, gpu_grid, 8);
  CHECK(equal_bits(gpu_codes.cpu(), codes));
  CHECK(equal_bits(dequantize_activation(gpu_codes, gpu_grid, dtype).cpu(),
                   dequantize_activation(codes, grid, dtype)));
  CHECK(equal_bits(fake_quantize_activation(gpu_x, gpu_grid, 8).cpu(), fake_quantize_activation(x, grid, 8)));
}

TEST_CASE("a GPU's packed products agree with double precision", "[gpu][shared]") {
  if (!has_gpu()) return;
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t M : {0, 1, 2, 5, 9, 33, 64}) {
      const ProductCase c = make_product(M, 131, 32 * G, G, bits, dtype, table);
      const at::Tensor y = multiply(c, kGpu).cpu();
      require_near_on_device(y, c);
      REQUIRE(equal_bits(multiply(c, kGpu).cpu(), y));
    }
  });
}

TEST_CASE("a GPU's attention over the cache agrees with float64", "[gpu][shared][first]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [B, H, G, T, S] =
      GENERATE(std::tuple{1, 32, 32, 700, 128}, std::tuple{3, 8, 2, 65, 64}, std::tuple{2, 3, 1, 1, 256},
               std::tuple{1, 2, 2, 20, 12});  // the last has no kernel
  INFO("dtype " << dtype << ", B " << B << " H " << H << " G " << G << " T " << T << " S " << S);
  at::manual_seed(1);
  const auto random = [&, B = B, S = S](int64_t heads, int64_t slots) {
    return at::randn({B, heads, slots, S}).to(dtype);
  };
  const at::Tensor q = random(H, 1), keys = random(G, T), values = random(G, T),
                   lengths = at::randint(1, T + 1, {B}, at::kLong);
  const auto attend = [&] {
    return decode_attention(q.to(at::kCUDA), keys.to(at::kCUDA), values.to(at::kCUDA), lengths.to(at::kCUDA))
        .cpu();
  };
  const at::Tensor actual = attend();
  const at::Tensor exact =
      decode_attention_reference(q.to(at::kDouble), keys.to(at::kDouble), values.to(at::kDouble), lengths);
  // As in cuda_decode_test.cpp; LibTorch's, where there is no kernel, rounds to 16 bits more than once.
  const bool has_kernel = S != 12;
  const double bits = dtype == at::kFloat ? 8.0 : has_kernel ? 1.0 : 4.0;
  CHECK(distance(actual, exact) <= bits * last_bit(dtype));
  if (has_kernel) CHECK(equal_bits(attend(), actual));
}
