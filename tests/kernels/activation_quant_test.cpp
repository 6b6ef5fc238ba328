// Quantization of activations: golden values of the method note (docs/method.md, "Activations"), every
// instruction set against the shared arithmetic, ranges without width.
#include "kernels/activation_quant.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/activation_math.h"
#include "kernels/isa_case.h"
#include "kernels/quant_case.h"

using namespace qslaw;

namespace {

using Floats = std::vector<float>;

struct Golden {
  int bits;
  float low, high, scale, zero;
  Floats x, codes, restored;
};

// Worked out twice apart from this program, in float32 and in exact rational arithmetic; the first row holds
// ties.
const std::vector<Golden> kGolden = {
    {4,
     -1,
     2,
     5,
     3,
     {-1.5F, -1, -0.3F, 0, 0.1F, 0.5F, 1.99F, 2, 3},
     {-8, -8, -4, -3, -2, 0, 7, 7, 7},
     {-1, -1, -0.2F, 0, 0.2F, 0.6F, 2, 2, 2}},
    {4,
     -1,
     0.875F,
     8,
     0,
     {-1, -0.9375F, -0.3125F, 0, 0.0625F, 0.1875F, 0.3125F, 0.875F, 1},
     {-8, -8, -2, 0, 0, 2, 2, 7, 7},
     {-1, -1, -0.25F, 0, 0, 0.25F, 0.25F, 0.875F, 0.875F}},
    {4,
     0,
     1.875F,
     8,
     8,
     {0, 0.0625F, 0.1875F, 0.5F, 1, 1.875F, 2, -0.5F},
     {-8, -8, -6, -4, 0, 7, 7, -8},
     {0, 0, 0.25F, 0.5F, 1, 1.875F, 1.875F, 0}},
    {8,
     -1,
     2,
     85,
     43,
     {-1, -0.5F, 0, 0.25F, 0.625F, 1, 2},
     {-128, -86, -43, -22, 10, 42, 127},
     {-1, -0.5058823529F, 0, 0.2470588235F, 0.6235294118F, 1, 2}},
    {6,
     -2,
     1.9375F,
     16,
     0,
     {-2, -1.03125F, 0, 0.015625F, 1.9375F, 2},
     {-32, -16, 0, 0, 31, 31},
     {-2, -1, 0, 0, 1.9375F, 1.9375F}},
};

at::Tensor row_of(const Floats& values) {
  return at::tensor(at::ArrayRef<float>(values)).view({1, -1});
}

ActivationGrid grid_of(float low, float high, int bits) {
  return activation_grid({row_of({high}), row_of({low})}, {bits, ActivationAxis::tensor, false});
}

constexpr ActivationAxis kAxes[] = {ActivationAxis::tensor, ActivationAxis::token, ActivationAxis::channel};

template <typename Test>
void for_each_format(Test test) {
  for (const int bits : {4, 6, 8}) {
    for (const ActivationAxis axis : kAxes) {
      for (const bool symmetric : {false, true}) {
        INFO("bits " << bits << ", axis " << static_cast<int>(axis) << (symmetric ? ", symmetric" : ""));
        test(ActivationFormat{bits, axis, symmetric});
      }
    }
  }
}

at::Tensor make_input(int64_t M, int64_t K, at::ScalarType dtype) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(M * 1000 + K));
  at::Tensor x = at::randn({M, K}, generator) * 3;
  x.select(1, 0).fill_(0.75);  // a channel without width
  if (M > 1) x.select(0, M - 1).abs_().add_(1.0);
  return x.to(dtype);
}

}  // namespace

TEST_CASE("activations reproduce the golden values") {
  for_each_isa([] {
    for (const Golden& g : kGolden) {
      INFO("bits " << g.bits << ", low " << g.low << ", high " << g.high);
      const ActivationGrid grid = grid_of(g.low, g.high, g.bits);
      REQUIRE(grid.scale.item<float>() == g.scale);
      REQUIRE(grid.zero.item<float>() == g.zero);
      const at::Tensor x = row_of(g.x);
      REQUIRE(at::equal(quantize_activation(x, grid, g.bits).to(at::kFloat), row_of(g.codes)));
      REQUIRE(at::allclose(fake_quantize_activation(x, grid, g.bits), row_of(g.restored), 0, 1e-6));
    }
  });
}

TEST_CASE("activations per channel reproduce the golden matrix") {
  const at::Tensor x = at::tensor({-1.0F, 2.0F, 0.25F, 0.75F, 0.875F, 5.0F}).view({3, 2});
  const ActivationRange range{row_of({0.875F, 3.75F}), row_of({-1, 0})};
  const ActivationGrid grid = activation_grid(range, {4, ActivationAxis::channel, false});
  REQUIRE(at::equal(grid.scale, row_of({8, 4})));
  REQUIRE(at::equal(grid.zero, row_of({0, 8})));
  const at::Tensor restored = at::tensor({-1.0F, 2.0F, 0.25F, 0.75F, 0.875F, 3.75F}).view({3, 2});
  for_each_isa([&] {
    const at::Tensor codes = quantize_activation(x, grid, 4);
    REQUIRE(at::equal(codes, at::tensor({-8, 0, 2, -5, 7, 7}).view({3, 2}).to(at::kChar)));
    REQUIRE(at::equal(fake_quantize_activation(x, grid, 4), restored));
    REQUIRE(at::equal(dequantize_activation(codes, grid, at::kFloat), restored));
  });
}

TEST_CASE("activation ranges are minima and maxima along their axis") {
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [M, K] : {std::pair<int64_t, int64_t>{1, 1}, {1, 37}, {5, 32}, {33, 259}, {300, 48}}) {
      const at::Tensor x = make_input(M, K, dtype), wide = x.to(at::kFloat);
      for_each_isa([&, M = M, K = K] {
        const ActivationRange token = activation_range(x, ActivationAxis::token);
        REQUIRE(at::equal(token.high, wide.amax({1}, true)));
        REQUIRE(at::equal(token.low, wide.amin({1}, true)));
        const ActivationRange channel = activation_range(x, ActivationAxis::channel);
        REQUIRE(at::equal(channel.high, wide.amax({0}, true)));
        REQUIRE(at::equal(channel.low, wide.amin({0}, true)));
        const ActivationRange all = activation_range(x, ActivationAxis::tensor);
        REQUIRE(at::equal(all.high, wide.max().view({1, 1})));
        REQUIRE(at::equal(all.low, wide.min().view({1, 1})));
      });
    }
  }
}

TEST_CASE("every instruction set gives the codes and values of the shared arithmetic") {
  for_each_format([](const ActivationFormat& format) {
    for (const at::ScalarType dtype : kTypes) {
      for (const auto& [M, K] : {std::pair<int64_t, int64_t>{1, 5}, {3, 32}, {33, 75}}) {
        const at::Tensor x = make_input(M, K, dtype), wide = x.to(at::kFloat);
        const ActivationGrid grid = activation_grid(activation_range(x, format.axis), format);
        const float half = static_cast<float>(1 << (format.bits - 1));
        const at::Tensor codes = at::clamp(at::round(grid.scale * wide - grid.zero), -half, half - 1);
        const at::Tensor values = ((codes + grid.zero) / grid.scale).to(dtype);
        for_each_isa([&] {
          REQUIRE(at::equal(quantize_activation(x, grid, format.bits), codes.to(at::kChar)));
          REQUIRE(equal_bits(fake_quantize_activation(x, grid, format.bits), values));
          REQUIRE(equal_bits(dequantize_activation(codes.to(at::kChar), grid, dtype), values));
        });
      }
    }
  });
}

TEST_CASE("quantized activations are at most half a step away inside their range") {
  for_each_format([](const ActivationFormat& format) {
    const at::Tensor x = make_input(33, 64, at::kFloat);
    const ActivationGrid grid = activation_grid(activation_range(x, format.axis), format);
    // The asymmetric grid is shifted by the rounding of its zero point: half a step more at the ends.
    const at::Tensor allowed = (format.symmetric ? 0.5 : 1.0) / grid.scale * (1 + 1e-4);
    REQUIRE(((fake_quantize_activation(x, grid, format.bits) - x).abs() <= allowed).all().item<bool>());
  });
}

TEST_CASE("activation ranges without width restore their value and are never NaN") {
  const float largest = std::numeric_limits<float>::max();
  for_each_format([&](const ActivationFormat& format) {
    for (const float value : {0.0F, 1.0F, -3.0F, 1e-6F, 1e4F, -1e30F, largest}) {
      INFO("constant " << value);
      const at::Tensor x = at::full({3, 20}, value, at::kFloat);
      const ActivationGrid grid = activation_grid(activation_range(x, format.axis), format);
      REQUIRE(grid.scale.isfinite().all().item<bool>());
      REQUIRE(grid.zero.isfinite().all().item<bool>());
      // A step is 1e-5 / 7 or 2^-22 of the value at the least; symmetric grids reach +-value exactly.
      const double allowed = std::fmax(1e-5 / 7, std::fabs(static_cast<double>(value)) * 0x1p-21);
      for_each_isa([&] {
        const at::Tensor restored = fake_quantize_activation(x, grid, format.bits);
        REQUIRE((restored.to(at::kDouble) - static_cast<double>(value)).abs().max().item<double>() <=
                allowed);
      });
    }
    const at::Tensor widest = at::tensor({-largest, largest}).view({1, 2});
    const ActivationGrid grid = activation_grid(activation_range(widest, ActivationAxis::token), format);
    REQUIRE(fake_quantize_activation(widest, grid, format.bits).isfinite().all().item<bool>());
  });
}

TEST_CASE("activations of no tokens and on several threads") {
  const ActivationGrid grid = grid_of(-1, 2, 8);
  REQUIRE(quantize_activation(at::empty({0, 8}), grid, 8).sizes() == at::IntArrayRef({0, 8}));
  const at::Tensor x = make_input(301, 515, at::kBFloat16);
  for_each_format([&](const ActivationFormat& format) {
    std::vector<at::Tensor> expected;
    for (const int threads : {1, 2, 3}) {
      const Threads scope(threads);
      const ActivationGrid one = activation_grid(activation_range(x, format.axis), format);
      const std::vector<at::Tensor> results = {one.scale, one.zero, quantize_activation(x, one, format.bits),
                                               fake_quantize_activation(x, one, format.bits)};
      if (expected.empty()) expected = results;
      for (size_t i = 0; i < results.size(); ++i)
        REQUIRE(equal_bits(results[i], expected[i]));
    }
  });
}
