// Products of few tokens with packed weights: against sums in double precision of the exact weights, for
// every instruction set.
#include "core/error.h"
#include "kernels/isa_case.h"
#include "kernels/product_case.h"

using namespace qslaw;

TEST_CASE("packed products agree with double precision on every instruction set") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
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
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
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

TEST_CASE("a product of table codes has the same bits however its absmax are coded") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    if (!table) return;
    for (const int64_t M : {0, 1, 7}) {
      // Rows of 11 blocks begin anywhere among 256; in pieces of 23 rows the map can list the values.
      const ProductCase c = make_product(M, 69, 11 * G, G, bits, dtype, table);
      for_each_isa([&] {
        const at::Tensor y = multiply(c);
        for (int64_t begin = 0; begin < 69; begin += 23) {
          const at::Tensor codes = c.codes.narrow(0, begin, 23);
          const AbsmaxCodes listed = listed_absmax(c.grid.scale.narrow(0, begin, 23));
          REQUIRE(
              equal_bits(packed_table_product(c.x, codes, listed, c.table, bits), y.narrow(1, begin, 23)));
        }
      });
    }
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

TEST_CASE("packed products refuse groups that are no power of two, which vectors of codes would cut") {
  const at::Tensor x = at::ones({1, 192}), codes = at::zeros({3, 96}, at::kByte);
  const GroupGrid grid{at::ones({3, 2}), at::zeros({3, 2}, at::kShort)};
  REQUIRE_THROWS_AS(packed_product(x, codes, grid, 4), InternalError);
  const AbsmaxCodes absmax = listed_absmax(at::ones({3, 2}));
  REQUIRE_THROWS_AS(packed_table_product(x, codes, absmax, at::zeros({16}), 4), InternalError);
}

TEST_CASE("packed products are nearer to the exact ones than products of rounded weights") {
  for (const bool table : {false, true}) {
    const ProductCase c = make_product(4, 33, 1408, 128, 4, at::kBFloat16, table);
    const at::Tensor exact = exact_product(c).y;
    const auto error = [&](const at::Tensor& y) { return (y.to(at::kDouble) - exact).norm().item<double>(); };
    const at::Tensor rounded = table ? dequantize_table(c.codes, c.absmax, c.table, 4, at::kBFloat16)
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
