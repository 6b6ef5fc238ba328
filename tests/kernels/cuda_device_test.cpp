// Loading the CUDA side, and group-wise quantization on a GPU where there is one (elsewhere
// cuda_group_quant_test.cpp runs its code). Each case needs a process of its own, as ctest gives it: LibTorch
// keeps its first answer about CUDA.
#include <catch2/catch.hpp>

#include "gpu_case.h"
#include "kernels/level_codes.h"
#include "quant_case.h"

using namespace qslaw;

namespace {

GroupGrid on_gpu(const GroupGrid& grid) {
  return {grid.scale.to(at::kCUDA), grid.zero.to(at::kCUDA)};
}

}  // namespace

TEST_CASE("load_cuda works or names what is missing") {
  const std::string problem = cuda_problem();
  INFO(problem);
  const bool no_library =
      problem.find("[cuda] this build has no CUDA kernels: expected libqslaw_cuda.so") == 0;
  const bool no_gpu = problem.find(has_nvidia_driver() ? "[cuda] expected an NVIDIA GPU, got: "
                                                       : "[cuda] expected an NVIDIA GPU, got none with a "
                                                         "driver (the CUDA runtime: ") == 0;
  REQUIRE((problem.empty() || no_library || no_gpu));
  REQUIRE(cuda_problem() == problem);
}

TEST_CASE("a GPU is asked for by the number of one that is there") {
  CHECK_NOTHROW(require_device_index(0, 1));
  CHECK_NOTHROW(require_device_index(3, 4));
  CHECK_THROWS_WITH(require_device_index(1, 1),
                    "[device] expected cuda:0, as this process sees 1 GPU, got cuda:1");
  CHECK_THROWS_WITH(require_device_index(9, 4),
                    "[device] expected cuda:0 to cuda:3, as this process sees 4 GPUs, got cuda:9");
  if (cuda_problem().empty()) CHECK(cuda_device_count() > 0);
}

TEST_CASE("a GPU's results equal the CPU's bit for bit", "[gpu][shared]") {
  if (!has_gpu()) return;
  for_each_case([](const QuantCase& c) {
    const at::Tensor weight = c.weight_NK.to(at::kCUDA), gamma = c.gamma.to(at::kCUDA);
    const GroupGrid grid = on_gpu(c.grid);
    const at::ScalarType dtype = c.weight_NK.scalar_type();
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, c.gamma, c.bits);
    const GroupRange range = group_range(c.weight_NK, c.group_size),
                     gpu_range = group_range(weight, c.group_size);
    REQUIRE(equal_bits(gpu_range.high.cpu(), range.high));
    REQUIRE(equal_bits(gpu_range.low.cpu(), range.low));
    const GroupGrid gpu_grid = grid_from_range(gpu_range, c.bits);
    REQUIRE(equal_bits(gpu_grid.scale.cpu(), c.grid.scale));
    REQUIRE(equal_bits(gpu_grid.zero.cpu(), c.grid.zero));
    REQUIRE(equal_bits(quantize_packed(weight, grid, gamma, c.bits).cpu(), codes));
    REQUIRE(equal_bits(dequantize_packed(codes.to(at::kCUDA), grid, c.bits, dtype).cpu(),
                       dequantize_packed(codes, c.grid, c.bits, dtype)));
    REQUIRE(equal_bits(fake_quantize(weight, grid, gamma, c.bits, dtype).cpu(),
                       fake_quantize(c.weight_NK, c.grid, c.gamma, c.bits, dtype)));
    REQUIRE(equal_bits(gamma_gradient(weight, grid, gamma, c.gradient_NK.to(at::kCUDA), c.bits).cpu(),
                       gamma_gradient(c.weight_NK, c.grid, c.gamma, c.gradient_NK, c.bits)));
    const at::Tensor table = at::linspace(-1, 1, 1 << c.bits);
    REQUIRE(equal_bits(
        dequantize_table(codes.to(at::kCUDA), c.absmax.to(at::kCUDA), table.to(at::kCUDA), c.bits, dtype)
            .cpu(),
        dequantize_table(codes, c.absmax, table, c.bits, dtype)));
    const LevelCodes levels = level_codes(c.weight_NK, table, c.bits, c.group_size),
                     gpu_levels = level_codes(weight, table.to(at::kCUDA), c.bits, c.group_size);
    REQUIRE(equal_bits(gpu_levels.codes.cpu(), levels.codes));
    REQUIRE(equal_bits(gpu_levels.absmax.cpu(), levels.absmax));
  });
}

TEST_CASE("a GPU dequantizes rows that begin at any eight codes", "[gpu]") {
  if (!has_gpu()) return;
  for (const int bits : {2, 3, 4, 8}) {  // rows of 8, 12, 16 and 32 bytes
    const QuantCase c = make_case(7, 32, 32, bits, at::kFloat);
    const at::Tensor codes = quantize_packed(c.weight_NK, c.grid, {}, bits);
    at::Tensor out = at::empty({4, 32}, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
    dequantize_packed_into(codes.to(at::kCUDA), on_gpu(c.grid), bits, 3, 7, out);
    REQUIRE(equal_bits(out.cpu(), dequantize_packed(codes, c.grid, bits, at::kBFloat16).narrow(0, 3, 4)));
  }
}
