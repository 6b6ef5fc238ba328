// Every instruction set's group kernels give the bits of the plain C++ version, which group_quant_test.cpp
// compares with LibTorch's operations.
#include "kernels/row_kernels.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/isa_case.h"
#include "kernels/quant_case.h"

using namespace qslaw;

namespace {

// Everything that is computed from a case, in one list.
std::vector<at::Tensor> results_of(const QuantCase& c) {
  const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, c.bits);
  const at::Tensor table = at::linspace(-1, 1, 1 << c.bits).pow(3).contiguous();
  const GroupRange range = group_range(c.weight_NK, c.group_size);
  std::vector<at::Tensor> results = {codes, range.high, range.low,
                                     quantize_packed(c.weight_NK, c.grid, {}, c.bits),
                                     gamma_gradient(c.weight_NK, c.grid, c.gamma, c.gradient_NK, c.bits)};
  for (const at::ScalarType dtype : kTypes) {
    results.push_back(gamma_gradient(c.weight_NK, c.grid, c.gamma, c.gradient_NK.to(dtype), c.bits));
    results.push_back(dequantize_packed(codes, c.grid, c.bits, dtype));
    results.push_back(dequantize_table(codes, c.absmax, table, c.bits, dtype));
    results.push_back(fake_quantize(c.weight_NK, c.grid, c.gamma, c.bits, dtype));
  }
  return results;
}

void require_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO("result " << i);
    REQUIRE(equal_bits(a[i], b[i]));
  }
}

template <typename Test>
void for_odd_shapes(Test test) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 64, 128}) {
      for (const at::ScalarType dtype : kTypes) {
        for (const int64_t N : {1, 5, 33}) {
          const int64_t K = N == 5 ? G : 3 * G;
          INFO("bits " << bits << ", " << N << " x " << K << " in groups of " << G << ", "
                       << toString(dtype));
          test(make_case(N, K, G, bits, dtype));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every instruction set gives the bits of the plain kernels") {
  for_odd_shapes([](const QuantCase& c) {
    std::vector<at::Tensor> expected;
    for_each_isa([&] {
      if (expected.empty()) expected = results_of(c);  // the first is plain C++
      require_equal(results_of(c), expected);
    });
  });
}

TEST_CASE("ranges pass over NaN, and their zeros are positive, on every instruction set") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  at::Tensor weight = at::randn({4, 64});
  for (const int64_t k : {0, 1, 17, 31, 40})
    weight[0][k] = NAN;
  weight[1].narrow(0, 32, 32).fill_(NAN);
  weight[2].fill_(-0.0), weight[2][20] = 0.0;
  for (const at::ScalarType dtype : kTypes) {
    const at::Tensor grouped = weight.to(dtype).to(at::kFloat).view({4, 2, 32});
    const at::Tensor high = grouped.nan_to_num(-kInfinity).amax(-1) + 0.0,
                     low = grouped.nan_to_num(kInfinity).amin(-1) + 0.0;
    for_each_isa([&] {
      const GroupRange range = group_range(weight.to(dtype), 32);
      REQUIRE(equal_bits(range.high, high));
      REQUIRE(equal_bits(range.low, low));
    });
  }
}

TEST_CASE("grids of many ranges equal LibTorch's operations on any number of threads") {
  const at::Tensor low = at::randn({67, 256}) - 1.0, high = low + at::rand({67, 256}) * 3.0;
  const at::Tensor scale = at::clamp((high - low) / 15, 1e-5, 1e4);
  for (const int threads : {1, 3}) {
    const Threads scope(threads);
    const GroupGrid grid = grid_from_range({high, low}, 4);
    REQUIRE(at::equal(grid.scale, scale));
    REQUIRE(at::equal(grid.zero.to(at::kFloat), at::round(at::clamp(-low / scale, -1e4, 1e4))));
  }
}

TEST_CASE("group kernels give the same bits on one thread and on several") {
  for (const int bits : {3, 8}) {
    const QuantCase c = make_case(301, 384, 32, bits, at::kBFloat16);
    std::vector<at::Tensor> expected;
    for (const int threads : {1, 2, 3}) {
      const Threads scope(threads);
      if (expected.empty()) expected = results_of(c);
      require_equal(results_of(c), expected);
    }
  }
}

TEST_CASE("group kernels take a matrix without rows") {
  for (const int bits : {2, 3, 4, 8}) {
    for (const at::ScalarType dtype : kTypes) {
      for_each_isa([&] {
        QuantCase c;
        c.weight_NK = at::empty({0, 96}, dtype);
        c.grid = grid_from_range(group_range(c.weight_NK, 32), bits);
        c.gamma = at::empty({0, 3}), c.gradient_NK = at::empty({0, 96});
        c.absmax = random_absmax(0, 3, at::make_generator<at::CPUGeneratorImpl>(uint64_t{1}));
        c.bits = bits, c.group_size = 32;
        REQUIRE(c.grid.scale.sizes() == at::IntArrayRef({0, 3}));
        REQUIRE(c.grid.zero.sizes() == at::IntArrayRef({0, 3}));
        for (const at::Tensor& result : results_of(c))
          REQUIRE(result.size(0) == 0);
        const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, bits);
        REQUIRE(codes.sizes() == at::IntArrayRef({0, 12 * bits}));
        REQUIRE(dequantize_packed(codes, c.grid, bits, dtype).sizes() == c.weight_NK.sizes());
      });
    }
  }
}

TEST_CASE("rows are dequantized into a buffer of the caller") {
  for_each_isa([] {
    const QuantCase c = make_case(33, 192, 64, 3, at::kFloat);
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, 3);
    const at::Tensor table = at::linspace(-1, 1, 8);
    for (const at::ScalarType dtype : kTypes) {
      const at::Tensor all = dequantize_packed(codes, c.grid, 3, dtype);
      const at::Tensor all_table = dequantize_table(codes, c.absmax, table, 3, dtype);
      at::Tensor out = at::empty({7, 192}, dtype), none = at::empty({0, 192}, dtype);
      dequantize_packed_into(codes, c.grid, 3, 11, 18, out);
      REQUIRE(equal_bits(out, all.narrow(0, 11, 7)));
      dequantize_table_into(codes, c.absmax, table, 3, 26, 33, out);
      REQUIRE(equal_bits(out, all_table.narrow(0, 26, 7)));
      dequantize_packed_into(codes, c.grid, 3, 5, 5, none);
      at::Tensor fake = at::empty({33, 192}, dtype);
      fake_quantize_into(c.weight_NK, c.grid, c.gamma, 3, fake);
      REQUIRE(equal_bits(fake, all));
    }
  });
}

TEST_CASE("values are rounded to 16 bits as LibTorch rounds them") {
  // One value per group of 32: ties of both types, overflow, subnormal numbers of either type, infinity.
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0x1.01p0F, 0x1.03p0F, 0x1.002p0F, 0x1.006p0F, 65519, 65520, 3.4e38F, inf};
  for (const int exponent : {-14, -20, -24, -25, -26, -126, -133, -134, -140, -149})
    values.push_back(std::ldexp(1.5F, exponent));
  const auto count = static_cast<int64_t>(values.size());
  const at::Tensor absmax = at::tensor(at::ArrayRef<float>(values)).view({1, count});
  for (const int bits : {2, 4, 8}) {
    const at::Tensor table = at::linspace(-1, 1, 1 << bits),
                     codes = at::full({1, count * 4 * bits}, 255, at::kByte);
    const at::Tensor expected = absmax.repeat_interleave(32, 1);  // the highest code's level is 1
    for_each_isa([&] {
      for (const at::ScalarType dtype : kTypes)
        REQUIRE(equal_bits(dequantize_table(codes, listed_absmax(absmax), table, bits, dtype),
                           expected.to(dtype)));
    });
  }
}
