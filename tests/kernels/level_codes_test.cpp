// Codes of the nearest levels: against LibTorch's binary search on every instruction set; and the device
// code, run on the CPU, against the CPU version bit for bit.
#include "kernels/level_codes.h"

#include <cmath>

#include "device_launch.h"
#include "kernels/isa_case.h"
#include "kernels/quant_case.h"

#include "../../cuda/level_codes.cuh"

using namespace qslaw;

namespace {

at::Tensor levels_of(int bits) {
  return at::linspace(-1, 1, 1 << bits).pow(3).contiguous();
}

at::Tensor midpoints_of(const at::Tensor& levels) {
  return ((levels.slice(0, 0, -1) + levels.slice(0, 1)) * 0.5).contiguous();
}

// Random values; from two blocks on, one of zeros, and one whose values are boundaries if the type holds
// them.
at::Tensor make_values(int64_t n, int64_t block, int bits, at::ScalarType dtype) {
  at::manual_seed(static_cast<uint64_t>(n + bits));
  at::Tensor values = at::randn({n});
  if (n < 2 * block) return values.to(dtype);
  values.narrow(0, 0, block).zero_();
  const at::Tensor midpoints = midpoints_of(levels_of(bits));
  const int64_t count = std::min(midpoints.numel(), block - 1);
  values.narrow(0, block, count).copy_(midpoints.narrow(0, 0, count));
  values[2 * block - 1] = 1.0;
  return values.to(dtype);
}

// One byte per code, and absmax, by LibTorch's operations.
LevelCodes searched(const at::Tensor& values, int bits, int64_t block) {
  const int64_t n = values.numel(), blocks = (n + block - 1) / block;
  const at::Tensor rows =
      at::constant_pad_nd(values.to(at::kFloat), {0, blocks * block - n}).view({blocks, block});
  const at::Tensor absmax = rows.abs().amax(1);
  const at::Tensor factor = at::where(absmax > 0, at::ones_like(absmax) / absmax, at::zeros_like(absmax));
  const at::Tensor codes = at::searchsorted(midpoints_of(levels_of(bits)), rows * factor.unsqueeze(1),
                                            /*out_int32=*/false, /*right=*/true);
  return {codes.flatten().narrow(0, 0, n).to(at::kByte).contiguous(), absmax};
}

void require_equal(const LevelCodes& a, const LevelCodes& b) {
  REQUIRE(equal_bits(a.codes, b.codes));
  REQUIRE(equal_bits(a.absmax, b.absmax));
}

LevelCodes device_codes(const at::Tensor& values, int bits, int64_t block) {
  const int64_t n = values.numel();
  const at::Tensor levels = levels_of(bits);
  LevelCodes out{at::full({n * bits / 8}, 0xA5, at::kByte), at::full({n / block}, 7.0F)};
  REQUIRE(device::level_codes(device_input(values), levels.const_data_ptr<float>(),
                              {n / block, block, block, bits}, out.codes.data_ptr<uint8_t>(),
                              out.absmax.data_ptr<float>(), nullptr) == nullptr);
  return out;
}

// test(values, bits, block) of whole blocks.
template <typename Test>
void for_each_level_case(Test test) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t block : {16, 64, 256}) {
      for (const at::ScalarType dtype : kTypes) {
        for (const int64_t blocks : {0, 1, 9}) {
          INFO("bits " << bits << ", " << blocks << " blocks of " << block << ", " << toString(dtype));
          test(make_values(blocks * block, block, bits, dtype), bits, block);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("codes of the nearest levels are those of a binary search, on every instruction set") {
  for_each_level_case([](const at::Tensor& values, int bits, int64_t block) {
    if (values.numel() == 0) return;
    const LevelCodes bytes = searched(values, bits, block);
    const LevelCodes expected{pack_codes(bytes.codes.unsqueeze(0), bits).squeeze(0), bytes.absmax};
    for_each_isa([&] { require_equal(level_codes(values, levels_of(bits), bits, block), expected); });
  });
  REQUIRE(level_codes(at::empty({0, 64}), levels_of(4), 4, 64).codes.numel() == 0);
}

TEST_CASE("codes of 8 bits end anywhere in a block, and do not depend on the number of threads") {
  for (const int64_t n : {1, 255, 256 * 90 + 7}) {
    const at::Tensor values = make_values(n, 256, 8, at::kFloat);
    const LevelCodes expected = searched(values, 8, 256);
    for (const int threads : {1, 2, 3}) {
      const Threads scope(threads);
      require_equal(level_codes(values, levels_of(8), 8, 256), expected);
    }
  }
}

TEST_CASE("NaN has the highest code and no part in absmax, infinity leaves the codes of 0") {
  at::Tensor values = at::linspace(-0.5, 0.5, 96);
  values[0] = NAN, values[20] = NAN;      // the first block
  values[40] = INFINITY;                  // the second
  values.narrow(0, 64, 32).mul_(1e-39F);  // the third: 1 / absmax is infinite
  for_each_isa([&] {
    const LevelCodes found = level_codes(values, levels_of(4), 4, 32);
    const at::Tensor codes = unpack_codes(found.codes.unsqueeze(0), 4, 96).squeeze(0);
    REQUIRE(codes[0].item<int>() == 15);
    REQUIRE(codes[20].item<int>() == 15);
    REQUIRE(found.absmax[0].item<float>() == values[1].abs().item<float>());
    REQUIRE(codes[40].item<int>() == 15);  // infinity * (1 / infinity)
    REQUIRE(codes[41].item<int>() ==
            at::searchsorted(midpoints_of(levels_of(4)), at::zeros({1}), false, true).item<int>());
    require_equal(device_codes(values, 4, 32), found);
  });
}

TEST_CASE("device codes of the nearest levels equal the CPU's") {
  for_each_level_case([](const at::Tensor& values, int bits, int64_t block) {
    require_equal(device_codes(values, bits, block), level_codes(values, levels_of(bits), bits, block));
  });
}
