// The loops of a step's operators are compiled once per instruction set (core/clones.h). Every copy that this
// machine can run against LibTorch's operators; the tests of each operator run the one in use in more ways.
#include <cmath>

#include "kernels/adamw_int8.h"
#include "kernels/cross_entropy.h"
#include "kernels/decode_attention.h"
#include "kernels/dense_product.h"
#include "kernels/dropout.h"
#include "kernels/isa_case.h"
#include "kernels/quant_case.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/step_case.h"
#include "kernels/swiglu.h"

using namespace qslaw;

namespace {

constexpr uint64_t kSeed = 7;
// Rows that end within a vector of each width, are shorter than any, or fill them.
constexpr std::pair<int64_t, int64_t> kShapes[] = {{5, 67}, {3, 7}, {2, 256}};

// test(dtype, rows, columns), each over all instruction sets.
template <typename Test>
void for_each_copy(Test test) {
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [M, D] : kShapes) {
      INFO(toString(dtype) << ", " << M << " x " << D);
      at::manual_seed(static_cast<uint64_t>(M * 1000 + D));
      test(dtype, M, D);
    }
  }
}

// Within `bits` last bits of `expected` under every instruction set, and where nothing is contracted the same
// bits under all of them.
void require_copies(const Operator& fn, const Tensors& inputs, const at::Tensor& dY, const Outcome& expected,
                    double bits, bool contracted) {
  Outcome plain;
  for_each_isa([&] {
    const Outcome actual = run_operator(fn, inputs, dY);
    require_close(actual, expected, bits);
    if (!plain.y.defined()) plain = actual;
    if (!contracted) require_same_bits(actual, plain);
  });
}

}  // namespace

TEST_CASE("every copy of SwiGLU agrees with LibTorch's operators") {
  for_each_copy([](at::ScalarType dtype, int64_t M, int64_t D) {
    const Tensors inputs = {(at::randn({M, D}) * 4.0).to(dtype), at::randn({M, D}).to(dtype)};
    const at::Tensor dY = at::randn({M, D}).to(dtype);
    const Operator composed = [](const Tensors& in) { return swiglu_reference(in[0], in[1]); };
    // As in swiglu_test.cpp.
    require_copies([](const Tensors& in) { return swiglu(in[0], in[1]); }, inputs, dY,
                   run_operator(composed, inputs, dY), dtype == at::kFloat ? 4.0 : 1.0, true);
  });
}

TEST_CASE("every copy of RMS norm agrees with LibTorch's operators and has the plain one's bits") {
  for_each_copy([](at::ScalarType dtype, int64_t M, int64_t D) {
    const Tensors inputs = {(at::randn({M, D}) * 3.0).to(dtype), at::randn({D}).to(dtype)};
    const at::Tensor dY = at::randn({M, D}).to(dtype);
    const Operator composed = [](const Tensors& in) { return rms_norm_reference(in[0], in[1], 1e-5); };
    // As in rms_norm_test.cpp, whose wider limit for the weight's gradient is taken for all.
    require_copies([](const Tensors& in) { return rms_norm(in[0], in[1], 1e-5); }, inputs, dY,
                   run_operator(composed, inputs, dY), dtype == at::kFloat ? 16.0 : 2.0, false);
  });
}

TEST_CASE("every copy of the rotation of heads has the bits of LibTorch's operators") {
  for_each_copy([](at::ScalarType dtype, int64_t T, int64_t D) {
    const int64_t heads = 3, S = 2 * D;
    const at::Tensor half = at::randn({T, D}) * 3.0, angles = at::cat({half, half}, -1);
    const at::Tensor cos = angles.cos().to(dtype), sin = angles.sin().to(dtype);
    const Tensors inputs = {at::randn({2, T, heads * S}).to(dtype)};
    const at::Tensor dY = at::randn({2, heads, T, S}).to(dtype);
    const Operator fused = [&](const Tensors& in) { return rotate_heads(in[0], heads, cos, sin); };
    const Operator composed = [&](const Tensors& in) {
      return rotate_heads_reference(in[0], heads, cos, sin);
    };
    require_copies(fused, inputs, dY, run_operator(composed, inputs, dY), 0.0, false);
  });
}

TEST_CASE("every copy of cross-entropy agrees with LibTorch's operators") {
  for_each_copy([](at::ScalarType dtype, int64_t M, int64_t D) {
    const at::Tensor head = (at::randn({515, D}) * 0.3).to(dtype),
                     targets = at::randint(0, 515, {M}, at::kLong);
    const Tensors inputs = {at::randn({M, D}).to(dtype)};
    const at::Tensor dNll = at::randn({M}) / 64.0;
    const Operator composed = [&](const Tensors& in) {
      return linear_cross_entropy_reference(in[0], head, targets);
    };
    const Outcome expected = run_operator(composed, inputs, dNll);
    for_each_isa([&] {
      const Operator chunked = [&](const Tensors& in) { return linear_cross_entropy(in[0], head, targets); };
      const Outcome actual = run_operator(chunked, inputs, dNll);
      // As in cross_entropy_test.cpp.
      CHECK(distance(actual.y, expected.y) <= 16.0 * 0x1p-23);
      CHECK(distance(actual.gradients[0], expected.gradients[0]) <=
            (dtype == at::kFloat ? 32.0 : 2.0) * last_bit(dtype));
    });
  });
}

TEST_CASE("every copy of dropout is the multiplication by its mask") {
  for_each_copy([](at::ScalarType dtype, int64_t M, int64_t D) {
    const at::Tensor x = at::randn({M, D}).to(dtype), before = at::randn({M, D}).to(dtype);
    const at::Tensor factor = at::scalar_tensor(1 / 0.7, at::kDouble).to(dtype);
    at::Tensor mask;  // the plain copy's, which dropout_test.cpp compares with the documented function
    for_each_isa([&] {
      if (!mask.defined()) mask = dropout(at::ones({M, D}), 0.3, kSeed) != 0;
      const at::Tensor y = dropout(x, 0.3, kSeed);
      CHECK(at::equal(y, x * factor * mask));
      at::Tensor sum = before.clone();
      add_dropout(sum, x, 0.3, kSeed);
      CHECK(at::equal(sum, before + y));
    });
  });
}

TEST_CASE("every copy of AdamW with moments of 8 bits has the codes of its reference") {
  const std::vector<int64_t> shape = {70, 131};
  for_each_isa([&] {
    at::manual_seed(1);
    at::Tensor fast = at::randn(shape), plain = fast.clone();
    Int8Moments fast_moments = zero_moments(fast), plain_moments = zero_moments(plain);
    for (int t = 1; t <= 4; ++t) {
      const at::Tensor gradient =
          at::randn(shape) * at::pow(10.0, at::randn(shape) * 2.0) * (at::rand(shape) > 0.2);
      AdamWStep step{};
      step.beta1 = 0.9F, step.beta2 = 0.999F, step.decay = 0.99F, step.eps = 1e-8F;
      step.rate = static_cast<float>(0.1 / (1.0 - std::pow(0.9, t)));
      step.root = static_cast<float>(std::sqrt(1.0 - std::pow(0.999, t)));
      step.random = static_cast<uint32_t>(t) * 2654435761U;
      adamw_int8_step(fast, gradient, fast_moments, step);
      adamw_int8_step_reference(plain, gradient, plain_moments, step);
      CHECK(at::allclose(fast, plain, 4e-7, 4e-7));  // LibTorch's square root is not always the nearest
      CHECK(at::equal(fast_moments.first, plain_moments.first));
      CHECK(at::equal(fast_moments.second, plain_moments.second));
    }
  });
}

TEST_CASE("every copy of decoding's attention and product agrees with double precision") {
  for_each_copy([](at::ScalarType dtype, int64_t T, int64_t S) {
    const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
    const at::Tensor q = at::randn({2, 6, 1, S}).to(dtype), keys = at::randn({2, 3, T, S}).to(dtype),
                     values = at::randn({2, 3, T, S}).to(dtype), lengths = at::tensor({T, T - 1}, at::kLong);
    const at::Tensor attended = decode_attention_reference(wide(q), wide(keys), wide(values), lengths);
    const at::Tensor product = at::linear(wide(q), wide(keys[0][0]));
    // The result's own rounding; float32: sums of up to 256 terms and exp's error of some last bits.
    const double limit = (dtype == at::kFloat ? 16.0 : 1.0) * last_bit(dtype);
    for_each_isa([&] {
      CHECK(distance(decode_attention(q, keys, values, lengths), attended) <= limit);
      CHECK(distance(few_token_product(q, keys[0][0]), product) <= limit);
    });
  });
}

TEST_CASE("a forced instruction set runs another copy") {
  const auto& isas = cpu::available_isas();
  if (isas.size() < 2) return;
  // Sums of 1024 products, with and without fused multiply-adds: some last bits of 512 differ.
  at::manual_seed(1);
  const at::Tensor x = at::randn({1, 1024}), weight = at::randn({512, 1024});
  const auto product = [&](cpu::Isa isa) {
    const cpu::ForcedIsa forced(isa);
    return few_token_product(x, weight);
  };
  CHECK_FALSE(at::equal(product(cpu::Isa::plain), product(cpu::Isa::avx2)));
  CHECK(at::equal(product(cpu::Isa::plain), product(cpu::Isa::plain)));
}
