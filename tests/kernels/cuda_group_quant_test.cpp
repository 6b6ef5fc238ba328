// The device code of cuda/, run on the CPU (cuda_on_cpu.h) and compared bit for bit with the CPU functions.
// Equality is exact because both use quant_math.h's arithmetic, round half to even, and add gamma's gradient
// in one order.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "cuda_on_cpu.h"
#include "kernels/group_quant.h"
#include "quant_case.h"

namespace qslaw::device {

template <typename... Params, typename... Args>
const char* launch(void (*kernel)(Params...), int64_t blocks, int threads, void*, Args... args) {
  cuda_on_cpu::run_grid(blocks, threads, [=] { kernel(args...); });
  return nullptr;
}

}  // namespace qslaw::device

#include "../../cuda/group_quant_launch.cuh"

using namespace qslaw;

namespace {

CudaType type_of(at::ScalarType dtype) {
  return dtype == at::kFloat  ? CudaType::kFloat32
         : dtype == at::kHalf ? CudaType::kFloat16
                              : CudaType::kBFloat16;
}

CudaInput input(const at::Tensor& tensor) {
  return {tensor.const_data_ptr(), type_of(tensor.scalar_type())};
}
CudaOutput output(at::Tensor& tensor) {
  return {tensor.data_ptr(), type_of(tensor.scalar_type())};
}

CudaGrid grid_of(const QuantCase& c, bool with_gamma) {
  return {c.grid.scale.const_data_ptr<float>(), c.grid.zero.const_data_ptr<int16_t>(),
          with_gamma ? c.gamma.const_data_ptr<float>() : nullptr};
}

CudaShape shape_of(const QuantCase& c) {
  return {c.weight_NK.size(0), c.weight_NK.size(1), c.group_size, c.bits};
}

}  // namespace

TEST_CASE("device quantize_packed equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    for (const bool with_gamma : {false, true}) {
      const at::Tensor expected =
          quantize_packed(c.weight_NK, c.grid, with_gamma ? c.gamma : at::Tensor(), c.bits);
      at::Tensor codes = at::full_like(expected, 0xA5);
      REQUIRE(device::quantize_packed(input(c.weight_NK), grid_of(c, with_gamma), shape_of(c),
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
                                      output(out), nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected));
  });
}

TEST_CASE("device fake_quantize equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    for (const at::ScalarType dtype : kTypes) {
      const at::Tensor expected = fake_quantize(c.weight_NK, c.grid, c.gamma, c.bits, dtype);
      at::Tensor out = at::full_like(expected, 7);
      REQUIRE(device::fake_quantize(input(c.weight_NK), grid_of(c, true), shape_of(c), output(out),
                                    nullptr) == nullptr);
      REQUIRE(equal_bits(out, expected));
    }
  });
}

TEST_CASE("device gamma_gradient equals the CPU's") {
  for_each_case([](const QuantCase& c) {
    const at::Tensor expected = gamma_gradient(c.weight_NK, c.grid, c.gamma, c.gradient_NK, c.bits);
    at::Tensor out = at::full_like(expected, 7);
    REQUIRE(device::gamma_gradient(input(c.weight_NK), grid_of(c, true),
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
    const at::Tensor absmax = c.grid.scale * 3;
    const at::Tensor expected = dequantize_table(codes, absmax, table, bits, c.weight_NK.scalar_type());
    at::Tensor out = at::full_like(expected, 7);
    REQUIRE(device::dequantize_table(codes.const_data_ptr<uint8_t>(), absmax.const_data_ptr<float>(),
                                     table.const_data_ptr<float>(), shape_of(c), output(out),
                                     nullptr) == nullptr);
    REQUIRE(equal_bits(out, expected));
  });
}

TEST_CASE("device launchers take an empty matrix and refuse unknown bits") {
  const QuantCase c = make_case(1, 64, 32, 4, at::kFloat);
  const CudaShape empty{0, 64, 32, 4}, five{1, 64, 32, 5};
  REQUIRE(device::quantize_packed(input(c.weight_NK), grid_of(c, false), empty, nullptr, nullptr) == nullptr);
  REQUIRE(device::quantize_packed(input(c.weight_NK), grid_of(c, false), five, nullptr, nullptr) != nullptr);
}
