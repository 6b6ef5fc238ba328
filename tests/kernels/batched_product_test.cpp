// Products of several 16-bit tokens on the matrix units (cuda/batched_product.cuh), run on the CPU.
#include <array>
#include <limits>
#include <set>

#include "device_product.h"

using namespace qslaw;

namespace {

constexpr at::ScalarType kHalves[] = {at::kBFloat16, at::kHalf};

// Formats of 16-bit activations.
template <typename Test>
void for_each_half_format(Test test) {
  for_each_product_format([&](int bits, int64_t G, at::ScalarType dtype, bool table) {
    if (dtype != at::kFloat) test(bits, G, dtype, table);
  });
}

// A case whose sums are whole numbers below 2^24 of a unit of 2^-5, so that float32 adds them without
// rounding, in any order: x up to 4, code - zero up to 765, scales of 2^-5 and 2^-4, up to 2,688 columns.
ProductCase whole_case(int64_t M, int64_t N, int64_t K, int64_t G, int bits, at::ScalarType dtype) {
  ProductCase c = make_product(M, N, K, G, bits, dtype, false);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(M + K));
  c.x = at::randint(-4, 5, {M, K}, generator).to(dtype);
  c.grid.scale = at::randint(1, 3, c.grid.scale.sizes(), generator).to(at::kFloat) / 32;
  return c;
}

template <int kOctets>
void require_stage_layout() {
  using Tile = device::BatchTile<kOctets>;
  INFO(Tile::kTokens << " tokens");
  std::set<std::array<int, 3>> parts;
  std::set<int> slots;
  for (int warp = 0; warp < Tile::kStageSlots; warp += 32) {
    int uses[8] = {};  // of the eight sets of banks that 16 bytes take
    for (int index = warp; index < warp + 32; ++index) {
      const device::StagePart part = device::stage_part<kOctets>(index);
      REQUIRE((part.token >= 0 && part.token < Tile::kTokens));
      REQUIRE((part.piece >= 0 && part.piece < device::kStepPieces));
      REQUIRE((part.octet >= 0 && part.octet < Tile::kStageOctets));
      const int slot = device::part_slot<kOctets>(part);
      REQUIRE((slot >= 0 && slot < Tile::kStageSlots));
      parts.insert({part.token, part.piece, part.octet});
      slots.insert(slot);
      ++uses[slot % 8];
    }
    for (const int count : uses)
      REQUIRE(count == 4);
  }
  REQUIRE(parts.size() == static_cast<size_t>(Tile::kStageSlots));
  REQUIRE(slots.size() == static_cast<size_t>(Tile::kStageSlots));
}

}  // namespace

TEST_CASE("every part of a stage has a slot of its own, and a warp's go to all banks alike") {
  require_stage_layout<1>();
  require_stage_layout<2>();
  require_stage_layout<4>();
}

TEST_CASE("batched device products multiply with the weights that dequantizing gives, bit for bit") {
  for_each_half_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    const int64_t N = 17, K = 3 * G, M = 96;
    ProductCase c = make_product(M, N, K, G, bits, dtype, table);
    // Each token takes a column out: all of them at 96, and of more those at all places within four.
    const int64_t stride = K / M;
    const at::Tensor token = at::arange(M);
    const at::Tensor column = token * stride + token.remainder(stride);
    c.x = at::zeros({M, K}, dtype);
    c.x.index_put_({token, column}, at::ones({M}, dtype));
    const at::Tensor weight = table ? dequantize_table(c.codes, c.absmax, c.table, bits, dtype)
                                    : dequantize_packed(c.codes, c.grid, bits, dtype);
    REQUIRE(at::equal(multiply_on_device(c), weight.index_select(1, column).t()));
  });
}

TEST_CASE("batched device products of whole numbers are exact, in rows longer than all that is read ahead") {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 128}) {
      for (const at::ScalarType dtype : kHalves) {
        for (const int64_t M : {3, 12, 40}) {
          INFO("bits " << bits << ", group " << G << ", " << toString(dtype) << ", tokens " << M);
          // Four steps of 512 columns are read ahead; these are five and a quarter.
          const ProductCase c = whole_case(M, 37, 2688, G, bits, dtype);
          REQUIRE(at::equal(multiply_on_device(c), rounded_product(c).y.to(dtype)));
        }
      }
    }
  }
}

TEST_CASE("batched device products agree with double precision and depend on their own token only") {
  for_each_half_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t M : {2, 3, 8, 9, 16, 33, 64}) {
      INFO("tokens " << M);
      ProductCase c = make_product(M, M == 9 ? 71 : 37, 3 * G, G, bits, dtype, table);
      const at::Tensor y = multiply_on_device(c);
      require_near_on_device(y, c);
      REQUIRE(equal_bits(multiply_on_device(c), y));
      c.x = c.x.narrow(0, M - 2, 2).clone();
      REQUIRE(equal_bits(multiply_on_device(c), y.narrow(0, M - 2, 2)));
    }
  });
}

TEST_CASE("batched device products of zero points far from the codes are as near as rounded weights") {
  for (const int bits : {2, 3, 4}) {
    for (const at::ScalarType dtype : kHalves) {
      INFO("bits " << bits << ", " << toString(dtype));
      ProductCase c = make_product(3, 37, 384, 128, bits, dtype, false);
      c.grid.zero = at::where(c.grid.zero > 0, at::tensor(5003, at::kShort), at::tensor(-5003, at::kShort));
      // The zero point and its difference to the code are rounded, by half of the last bit each: together
      // 2^-8 and 2^-11 of the difference, or up to 1.1 of that, as the zero point has 128 or 1024 added to
      // it. The sums' own errors are far smaller.
      require_within(multiply_on_device(c), exact_product(c), 1.2 * (dtype == at::kHalf ? 0x1p-11 : 0x1p-8));
    }
  }
}

TEST_CASE("batched device products of long rows of table codes") {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t M : {2, 10}) {
      INFO("bits " << bits << ", tokens " << M);
      const ProductCase c = make_product(M, 5, 2048 + 64, 64, bits, at::kBFloat16, true);
      require_near_on_device(multiply_on_device(c), c);
    }
  }
}

TEST_CASE("a batched device product keeps what is not a number in its token") {
  ProductCase c = make_product(5, 20, 96, 32, 4, at::kBFloat16, false);
  c.x[3][40] = std::numeric_limits<float>::infinity();
  const at::Tensor y = multiply_on_device(c);
  REQUIRE(!y[3].isfinite().any().item<bool>());
  c.x[3].zero_();
  const at::Tensor without = multiply_on_device(c);
  for (const int64_t m : {0, 1, 2, 4})
    REQUIRE(equal_bits(y[m], without[m]));
}
