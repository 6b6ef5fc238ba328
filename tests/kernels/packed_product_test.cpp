// Products of few tokens with packed weights: against sums in double precision of the exact weights, for
// every instruction set.
#include "kernels/packed_product.h"

#include <vector>

#include "kernels/isa_case.h"
#include "kernels/quant_case.h"

using namespace qslaw;

namespace {

struct ProductCase {
  at::Tensor codes, x, table;  // table: undefined for uniform codes
  GroupGrid grid;
  int bits;
};

ProductCase make_product(int64_t M, int64_t N, int64_t K, int64_t G, int bits, at::ScalarType dtype,
                         bool table) {
  at::Generator generator =
      at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(M * 7 + N * K + G + bits));
  const int64_t top = (int64_t{1} << bits) - 1;
  ProductCase c;
  c.codes = pack_codes(at::randint(0, top + 1, {N, K}, generator).to(at::kByte), bits);
  c.grid.scale = at::rand({N, K / G}, generator) * 0.1;
  // Some zero points outside of the codes' range, as groups of one sign have them.
  c.grid.zero = at::randint(-top, 2 * top + 2, {N, K / G}, generator).to(at::kShort);
  c.x = at::randn({M, K}, generator).to(dtype);
  if (table) c.table = at::linspace(-1, 1, top + 1).pow(3).contiguous();
  c.bits = bits;
  return c;
}

at::Tensor multiply(const ProductCase& c) {
  if (c.table.defined()) return packed_table_product(c.x, c.codes, c.grid.scale, c.table, c.bits);
  return packed_product(c.x, c.codes, c.grid, c.bits);
}

// The exact product, and the sum of all magnitudes that were added, which bounds the roundings of any order.
struct Exact {
  at::Tensor y, magnitude;
};

Exact exact_product(const ProductCase& c) {
  const int64_t K = c.x.size(1), G = K / c.grid.scale.size(1);
  const auto spread = [&](const at::Tensor& t) { return t.to(at::kDouble).repeat_interleave(G, 1); };
  const at::Tensor codes = unpack_codes(c.codes, c.bits, K), x = c.x.to(at::kDouble);
  const at::Tensor scale = spread(c.grid.scale);
  if (c.table.defined()) {
    const at::Tensor weight = c.table.to(at::kDouble).index({codes.to(at::kLong)}) * scale;
    return {x.mm(weight.t()), x.abs().mm(weight.abs().t())};
  }
  const at::Tensor code = codes.to(at::kDouble), zero = spread(c.grid.zero);
  return {x.mm(((code - zero) * scale).t()), x.abs().mm(((code + zero.abs()) * scale).t())};
}

// Float32 sums: a chain of partial sums has at most 4 additions per group and chunk and 60 more, each with an
// error of 2^-24 of what was added so far; 2^-17 of table levels (packed_product.h); then one rounding to y's
// type.
void require_near(const at::Tensor& y, const Exact& exact, const ProductCase& c) {
  const double chain = 60 + 4.0 * static_cast<double>(c.x.size(1)) / 32;
  const double terms = chain * 0x1p-24 + (c.table.defined() ? 0x1p-17 : 0);
  const double rounding = y.scalar_type() == at::kFloat  ? 0x1p-24
                          : y.scalar_type() == at::kHalf ? 0x1p-11
                                                         : 0x1p-8;
  const at::Tensor allowed = exact.magnitude * terms + exact.y.abs() * rounding * 1.01 + 1e-7;
  REQUIRE(((y.to(at::kDouble) - exact.y).abs() <= allowed).all().item<bool>());
}

template <typename Test>
void for_each_format(Test test) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 64, 128}) {
      for (const at::ScalarType dtype : kTypes) {
        for (const bool table : {false, true}) {
          INFO("bits " << bits << ", group " << G << ", " << toString(dtype) << (table ? ", table" : ""));
          test(bits, G, dtype, table);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("packed products agree with double precision on every instruction set") {
  for_each_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t M : {0, 1, 2, 3, 17, 64}) {
      for (const int64_t N : {1, 5, 33}) {
        const int64_t K = N == 1 ? G : N == 5 ? 3 * G : 11 * G;
        INFO(M << " x " << K << " by " << N << " rows");
        const ProductCase c = make_product(M, N, K, G, bits, dtype, table);
        const Exact exact = exact_product(c);
        for_each_isa([&] {
          const at::Tensor y = multiply(c);
          REQUIRE(y.sizes() == at::IntArrayRef({M, N}));
          REQUIRE(y.scalar_type() == dtype);
          require_near(y, exact, c);
          REQUIRE(equal_bits(multiply(c), y));
        });
      }
    }
  });
}

TEST_CASE("an output depends on its own token only, and not on the number of threads") {
  for_each_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    const ProductCase c = make_product(7, 403, 5 * G, G, bits, dtype, table);
    for_each_isa([&] {
      at::Tensor expected;
      for (const int threads : {1, 2, 3}) {
        const Threads scope(threads);
        const at::Tensor y = multiply(c);
        if (!expected.defined()) expected = y;
        REQUIRE(equal_bits(y, expected));
      }
      for (const int64_t m : {0, 6}) {
        ProductCase one = c;
        one.x = c.x.narrow(0, m, 1);
        REQUIRE(equal_bits(multiply(one), expected.narrow(0, m, 1)));
      }
    });
  });
}

TEST_CASE("packed products take activations of any shape") {
  const ProductCase c = make_product(6, 5, 128, 64, 4, at::kBFloat16, false);
  const at::Tensor y = multiply(c);
  const at::Tensor shaped = packed_product(c.x.view({2, 3, 128}), c.codes, c.grid, 4);
  REQUIRE(shaped.sizes() == at::IntArrayRef({2, 3, 5}));
  REQUIRE(equal_bits(shaped.view({6, 5}), y));
  REQUIRE(equal_bits(packed_product(c.x[2], c.codes, c.grid, 4), y[2]));
  REQUIRE(equal_bits(packed_product(c.x.t().contiguous().t(), c.codes, c.grid, 4), y));
}

TEST_CASE("packed products are nearer to the exact ones than products of rounded weights") {
  for (const bool table : {false, true}) {
    const ProductCase c = make_product(4, 33, 1408, 128, 4, at::kBFloat16, table);
    const at::Tensor exact = exact_product(c).y;
    const auto error = [&](const at::Tensor& y) { return (y.to(at::kDouble) - exact).norm().item<double>(); };
    const at::Tensor rounded = table ? dequantize_table(c.codes, c.grid.scale, c.table, 4, at::kBFloat16)
                                     : dequantize_packed(c.codes, c.grid, 4, at::kBFloat16);
    const double dense = error(at::linear(c.x, rounded));
    for_each_isa([&] { REQUIRE(error(multiply(c)) < dense); });
  }
}

TEST_CASE("the packed product is chosen for few tokens of the CPU") {
  const auto pays = [](int64_t M, at::ScalarType dtype, Codes kind, int bits) {
    return packed_product_pays(at::empty({M, 64}, dtype), kind, bits);
  };
  for_each_isa([&] {
    for (const at::ScalarType dtype : kTypes) {
      REQUIRE(pays(1, dtype, Codes::uniform, 4));
      REQUIRE(pays(1, dtype, Codes::table, 4));
      REQUIRE(!pays(0, dtype, Codes::uniform, 4));
      REQUIRE(!pays(65, dtype, Codes::uniform, 2));
      REQUIRE(!pays(1, dtype, Codes::table, 8));
    }
  });
}
