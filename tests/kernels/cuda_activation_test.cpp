// The device code of activation quantization, run on the CPU and compared bit for bit with the CPU functions.
#include "device_launch.h"
#include "kernels/activation_quant.h"
#include "quant_case.h"

#include "../../cuda/activation_quant.cuh"

using namespace qslaw;

namespace {

// Few, so that there are more slabs than warps to join them.
constexpr int64_t kSlabRows = 16;

std::vector<int64_t> range_shape(const at::Tensor& x, ActivationAxis axis) {
  return {axis == ActivationAxis::token ? x.size(0) : 1, axis == ActivationAxis::channel ? x.size(1) : 1};
}

ActivationRange device_range(const at::Tensor& x, ActivationAxis axis) {
  const int64_t M = x.size(0), K = x.size(1), slabs = (M + kSlabRows - 1) / kSlabRows;
  ActivationRange range{at::full(range_shape(x, axis), 7.0F), at::full(range_shape(x, axis), 7.0F)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  const int64_t count = axis == ActivationAxis::channel ? slabs * K : M;
  at::Tensor parts = at::full({2, count}, 7.0F);
  float* part = parts.data_ptr<float>();
  const char* problem =
      axis == ActivationAxis::token
          ? device::activation_row_range(device_input(x), {M, K}, high, low, nullptr)
      : axis == ActivationAxis::channel
          ? device::activation_column_range(device_input(x), {M, K}, kSlabRows, part, part + count, high, low,
                                            nullptr)
          : device::activation_tensor_range(device_input(x), {M, K}, part, part + count, high, low, nullptr);
  REQUIRE(problem == nullptr);
  return range;
}

ActivationGrid device_grid(const ActivationRange& range, const ActivationFormat& format) {
  ActivationGrid grid{at::full_like(range.high, 7), at::full_like(range.high, 7)};
  REQUIRE(device::activation_grid(range.high.const_data_ptr<float>(), range.low.const_data_ptr<float>(),
                                  range.high.numel(), format.bits, format.symmetric,
                                  grid.scale.data_ptr<float>(), grid.zero.data_ptr<float>(),
                                  nullptr) == nullptr);
  return grid;
}

CudaActivationGrid constants(const ActivationGrid& grid, int bits) {
  return {grid.scale.const_data_ptr<float>(), grid.zero.const_data_ptr<float>(), grid.scale.size(0) > 1,
          grid.scale.size(1) > 1, bits};
}

void require_equal_codes(const at::Tensor& x, const ActivationGrid& grid, int bits) {
  const CudaRows shape{x.size(0), x.size(1)};
  at::Tensor codes = at::full(x.sizes(), 77, at::kChar), values = at::full_like(x, 7);
  REQUIRE(device::quantize_activation(device_input(x), constants(grid, bits), shape, codes.data_ptr<int8_t>(),
                                      nullptr) == nullptr);
  REQUIRE(equal_bits(codes, quantize_activation(x, grid, bits)));
  REQUIRE(device::fake_quantize_activation(device_input(x), constants(grid, bits), shape,
                                           device_output(values), nullptr) == nullptr);
  REQUIRE(equal_bits(values, fake_quantize_activation(x, grid, bits)));
  values.fill_(7);
  REQUIRE(device::dequantize_activation(codes.const_data_ptr<int8_t>(), constants(grid, bits), shape,
                                        device_output(values), nullptr) == nullptr);
  REQUIRE(equal_bits(values, dequantize_activation(codes, grid, x.scalar_type())));
}

}  // namespace

TEST_CASE("device quantization of activations equals the CPU's") {
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [M, K] :
         {std::pair<int64_t, int64_t>{1, 1}, {1, 37}, {5, 32}, {3, 2056}, {40, 16}, {131, 9}}) {
      at::manual_seed(static_cast<uint64_t>(M * 1000 + K));
      at::Tensor x = (at::randn({M, K}) * 3).to(dtype);
      x.select(1, 0).fill_(0.75);  // a channel without width
      for (const ActivationAxis axis :
           {ActivationAxis::tensor, ActivationAxis::token, ActivationAxis::channel}) {
        const ActivationRange range = device_range(x, axis), expected = activation_range(x, axis);
        REQUIRE(equal_bits(range.high, expected.high));
        REQUIRE(equal_bits(range.low, expected.low));
        for (const int bits : {4, 6, 8}) {
          for (const bool symmetric : {false, true}) {
            INFO("bits " << bits << ", axis " << static_cast<int>(axis) << ", " << M << " x " << K);
            const ActivationFormat format{bits, axis, symmetric};
            const ActivationGrid grid = device_grid(range, format), cpu_grid = activation_grid(range, format);
            REQUIRE(equal_bits(grid.scale, cpu_grid.scale));
            REQUIRE(equal_bits(grid.zero, cpu_grid.zero));
            require_equal_codes(x, grid, bits);
          }
        }
      }
    }
  }
  const ActivationGrid grid{at::ones({1, 1}), at::zeros({1, 1})};
  require_equal_codes(at::empty({0, 8}), grid, 8);
}

TEST_CASE("device quantization of activations takes constants at any address") {
  at::manual_seed(1);
  const at::Tensor x = at::randn({6, 32}) * 3;
  const ActivationGrid grid =
      activation_grid(activation_range(x, ActivationAxis::channel), {8, ActivationAxis::channel, false});
  const auto shifted = [](const at::Tensor& row) {  // by 4 bytes: no vectors of 16
    return at::cat({at::full({1, 1}, 7.0F), row}, 1).narrow(1, 1, row.size(1));
  };
  require_equal_codes(x, {shifted(grid.scale), shifted(grid.zero)}, 8);
}

TEST_CASE("device ranges of more rows than a block has threads are joined") {
  at::manual_seed(1);
  for (const int64_t count : {1, 261, 8 * 261}) {  // one at a time, then eight
    const at::Tensor highs = at::randn({count}), lows = highs - 1.0;
    float high = 7.0F, low = 7.0F;
    REQUIRE(device::join_row_ranges(highs.const_data_ptr<float>(), lows.const_data_ptr<float>(), count, &high,
                                    &low, nullptr) == nullptr);
    CHECK(high == highs.max().item<float>());
    CHECK(low == lows.min().item<float>());
  }
}
