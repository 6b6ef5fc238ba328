// The device code of cuda/, run on the CPU (cuda_on_cpu.h) and compared bit for bit with the CPU functions.
// Equality is exact because both use quant_math.h's arithmetic, round half to even, and add gamma's gradient
// in one order.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "device_launch.h"
#include "kernels/group_quant.h"
#include "quant_case.h"

#include "../../cuda/group_quant_launch.cuh"

using namespace qslaw;

namespace {

CudaGrid grid_of(const QuantCase& c, bool with_gamma) {
  return {c.grid.scale.const_data_ptr<float>(), c.grid.zero.const_data_ptr<int16_t>(),
          with_gamma ? c.gamma.const_data_ptr<float>() : nullptr};
}

CudaShape shape_of(const QuantCase& c) {
  return {c.weight_NK.size(0), c.weight_NK.size(1), c.group_size, c.bits};
}

void require_equal_grids(const at::Tensor& weight_NK, int64_t G, int bits) {
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1), groups = N * (K / G);
  const GroupRange expected = group_range(weight_NK, G);
  GroupRange range{at::full_like(expected.high, 7), at::full_like(expected.low, 7)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  REQUIRE(device::group_range(device_input(weight_NK), {N, K, G, bits}, high, low, nullptr) == nullptr);
  REQUIRE(equal_bits(range.high, expected.high));
  REQUIRE(equal_bits(range.low, expected.low));
  const GroupGrid expected_grid = grid_from_range(expected, bits);
  GroupGrid grid{at::full_like(expected_grid.scale, 7), at::full_like(expected_grid.zero, 7)};
  REQUIRE(device::group_grid(high, low, groups, bits, grid.scale.data_ptr<float>(),
                             grid.zero.data_ptr<int16_t>(), nullptr) == nullptr);
  REQUIRE(equal_bits(grid.scale, expected_grid.scale));
  REQUIRE(equal_bits(grid.zero, expected_grid.zero));
}

}  // namespace

TEST_CASE("device ranges and grids of groups equal the CPU's") {
  for_each_case([](const QuantCase& c) { require_equal_grids(c.weight_NK, c.group_size, c.bits); });
  // Groups longer than a warp's 256 weights, blocks of threads that are not full, no group.
  for (const int64_t G : {32, 256, 1024}) {
    for (const int64_t N : {0, 1, 37}) {
      for (const at::ScalarType dtype : kTypes) {
        INFO("group " << G << ", rows " << N << ", " << toString(dtype));
        require_equal_grids(at::randn({N, 3 * G}).to(dtype), G, 3);
      }
    }
  }
}

TEST_CASE("device ranges pass over NaN and know zeros of one sign, as the CPU's") {
  at::Tensor weight = at::randn({4, 64});
  weight[0][0] = NAN, weight[0][31] = NAN, weight[0][45] = NAN;
  weight[1].narrow(0, 0, 32).fill_(NAN);
  weight[2].fill_(-0.0), weight[2][7] = 0.0;
  weight[3][0] = INFINITY, weight[3][33] = -INFINITY;
  for (const at::ScalarType dtype : kTypes)
    require_equal_grids(weight.to(dtype), 32, 4);
}

TEST_CASE("device quantize_packed equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    for (const bool with_gamma : {false, true}) {
      const at::Tensor expected =
          quantize_packed(c.weight_NK, c.grid, with_gamma ? c.gamma : at::Tensor(), c.bits);
      at::Tensor codes = at::full_like(expected, 0xA5);
      REQUIRE(device::quantize_packed(device_input(c.weight_NK), grid_of(c, with_gamma), shape_of(c),
                                      codes.data_ptr<uint8_t>(), nullptr) == nullptr);
      REQUIRE(equal_bits(codes, expected));
    }
  });
}

TEST_CASE("device dequantize_packed equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, c.bits);
    const at::Tensor expected = dequantize_packed(codes, c.grid, c.bits, c.weight_NK.scalar_type());
    at::Tensor out = at::full_like(expected, 7);
    REQUIRE(device::dequantize_packed(codes.const_data_ptr<uint8_t>(), grid_of(c, false), shape_of(c),
                                      device_output(out), nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected));
  });
}

TEST_CASE("device fake_quantize equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    for (const at::ScalarType dtype : kTypes) {
      const at::Tensor expected = fake_quantize(c.weight_NK, c.grid, c.gamma, c.bits, dtype);
      at::Tensor out = at::full_like(expected, 7);
      REQUIRE(device::fake_quantize(device_input(c.weight_NK), grid_of(c, true), shape_of(c),
                                    device_output(out), nullptr) == nullptr);
      REQUIRE(equal_bits(out, expected));
    }
  });
}

TEST_CASE("device gamma_gradient equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    const at::Tensor expected = gamma_gradient(c.weight_NK, c.grid, c.gamma, c.gradient_NK, c.bits);
    at::Tensor out = at::full_like(expected, 7);
    REQUIRE(device::gamma_gradient(device_input(c.weight_NK), grid_of(c, true),
                                   c.gradient_NK.const_data_ptr<float>(), shape_of(c), out.data_ptr<float>(),
                                   nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected));
  });
}

TEST_CASE("device dequantize_table equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    const int bits = c.bits;
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, bits);
    const at::Tensor table = at::linspace(-1, 1, 1 << bits).pow(3).contiguous();
    const at::Tensor expected = dequantize_table(codes, c.absmax, table, bits, c.weight_NK.scalar_type());
    at::Tensor out = at::full_like(expected, 7);
    REQUIRE(device::dequantize_table(codes.const_data_ptr<uint8_t>(), view_of(c.absmax, codes),
                                     table.const_data_ptr<float>(), shape_of(c), device_output(out),
                                     nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected));
  });
}

TEST_CASE("device dequantize_table of rows that begin within a block of 256 absmax equals the CPU's") {
  for (const int64_t G : {32, 64, 128}) {
    const QuantCase c = make_case(71, 11 * G, G, 4, at::kFloat);
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, 4),
                     table = at::linspace(-1, 1, 16);
    const at::Tensor expected = dequantize_table(codes, c.absmax, table, 4, at::kFloat);
    for (const auto& [begin, count] :
         {std::pair<int64_t, int64_t>{0, 71}, {5, 40}, {23, 1}, {46, 25}, {70, 0}}) {
      INFO("rows from " << begin << ", " << count << " of them, group " << G);
      at::Tensor out = at::full({count, 11 * G}, 7.0F);
      REQUIRE(device::dequantize_table(codes.const_data_ptr<uint8_t>() + begin * codes.size(1),
                                       view_of(c.absmax, codes, begin), table.const_data_ptr<float>(),
                                       {count, 11 * G, G, 4}, device_output(out), nullptr) == nullptr);
      REQUIRE(equal_bits(out, expected.narrow(0, begin, count)));
    }
  }
}

TEST_CASE("device dequantize_packed takes rows that begin at any eight codes") {
  for (const int bits : {2, 3, 4, 8}) {  // rows of 8, 12, 16 and 32 bytes
    const QuantCase c = make_case(7, 32, 32, bits, at::kFloat);
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, {}, bits);
    const at::Tensor expected = dequantize_packed(codes, c.grid, bits, at::kBFloat16);
    at::Tensor out = at::full({4, 32}, 7.0F).to(at::kBFloat16);
    const CudaGrid grid{c.grid.scale.const_data_ptr<float>() + 3, c.grid.zero.const_data_ptr<int16_t>() + 3,
                        nullptr};
    REQUIRE(device::dequantize_packed(codes.const_data_ptr<uint8_t>() + 3 * codes.size(1), grid,
                                      {4, 32, 32, bits}, device_output(out), nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected.narrow(0, 3, 4)));
  }
}

TEST_CASE("device launchers take an empty matrix and refuse unknown bits") {
  const QuantCase c = make_case(1, 64, 32, 4, at::kFloat);
  const CudaShape empty{0, 64, 32, 4}, five{1, 64, 32, 5};
  REQUIRE(device::quantize_packed(device_input(c.weight_NK), grid_of(c, false), empty, nullptr, nullptr) ==
          nullptr);
  REQUIRE(device::group_range(device_input(c.weight_NK), empty, nullptr, nullptr, nullptr) == nullptr);
  REQUIRE(device::group_grid(nullptr, nullptr, 0, 4, nullptr, nullptr, nullptr) == nullptr);
  at::Tensor out = at::empty({0, 64});
  REQUIRE(device::dequantize_packed(nullptr, grid_of(c, false), empty, device_output(out), nullptr) ==
          nullptr);
  REQUIRE(device::dequantize_table(nullptr, {}, nullptr, empty, device_output(out), nullptr) == nullptr);
  REQUIRE(device::fake_quantize(device_input(c.weight_NK), grid_of(c, true), empty, device_output(out),
                                nullptr) == nullptr);
  REQUIRE(device::gamma_gradient(device_input(c.weight_NK), grid_of(c, true), nullptr, empty, nullptr,
                                 nullptr) == nullptr);
  REQUIRE(device::quantize_packed(device_input(c.weight_NK), grid_of(c, false), five, nullptr, nullptr) !=
          nullptr);
}
