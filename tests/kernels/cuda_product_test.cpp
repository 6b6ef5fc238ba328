// The device code of packed products, run on the CPU: against sums in double precision. One token, and all of
// float32: of the exact weights, within the CPU kernels' bound, which holds for any order of float32 sums.
// Several tokens in 16 bits: batched_product_test.cpp. Weights that are multiplied in one launch: here, for
// all kernels.
#include "device_product.h"

using namespace qslaw;

TEST_CASE("device packed products agree with double precision and depend on their own token only") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const auto& [N, K] : {std::pair<int64_t, int64_t>{1, G}, {17, 3 * G}}) {
      const int64_t M = dtype == at::kFloat ? 5 : 1;
      INFO(M << " x " << K << " by " << N << " rows");
      ProductCase c = make_product(M, N, K, G, bits, dtype, table);
      const at::Tensor y = multiply_on_device(c);
      require_near(y, exact_product(c), c);
      c.x = c.x.narrow(0, M - 1, 1).clone();
      REQUIRE(equal_bits(multiply_on_device(c), y.narrow(0, M - 1, 1)));
    }
  });
}

TEST_CASE("a device product of table codes has the same bits however its absmax are coded") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    if (!table) return;
    for (const int64_t M : {1, 5}) {
      const ProductCase c = make_product(M, 69, 11 * G, G, bits, dtype, table);
      const at::Tensor y = multiply_on_device(c);
      for (int64_t begin = 0; begin < 69; begin += 23) {  // the map can list the values of 23 rows
        ProductCase part = c;
        part.codes = c.codes.narrow(0, begin, 23).clone();
        part.absmax = listed_absmax(c.grid.scale.narrow(0, begin, 23));
        REQUIRE(equal_bits(multiply_on_device(part), y.narrow(1, begin, 23)));
      }
    }
  });
}

TEST_CASE("device packed products of rows that are longer than one step") {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 128}) {
      for (const bool table : {false, true}) {
        INFO("bits " << bits << ", group " << G << (table ? ", table" : ""));
        // A step is 4096 columns; the second one has a part of a unit where groups are short.
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
          const ProductCase c = make_product(dtype == at::kFloat ? 2 : 1, 3, 4096 + G, G, bits, dtype, table);
          const at::Tensor y = multiply_on_device(c);
          require_near(y, exact_product(c), c);
          REQUIRE(equal_bits(multiply_on_device(c), y));
        }
      }
    }
  }
}

TEST_CASE("joined device products have the bits of each by itself") {
  // Rows that end within a tile, at its end, and tiles of one row: all kernels have tiles of 2 to 64 rows.
  const std::vector<std::vector<int64_t>> all_rows = {{37, 1, 70}, {64, 128, 5}, {66, 3}};
  size_t turn = 0;  // four by format, so that all meet each kernel
  for_each_product_format([&](int bits, int64_t G, at::ScalarType dtype, bool table) {
    if (G == 64) return;
    for (const int64_t M : {1, 3, 10, 33}) {  // every kernel, the last with two tiles of tokens
      const std::vector<int64_t>& rows = all_rows[turn++ % all_rows.size()];
      INFO("tokens " << M << ", first rows " << rows.front());
      std::vector<ProductCase> cases;
      for (const int64_t N : rows) {
        cases.push_back(make_product(M, N, 3 * G, G, bits, dtype, table));
        cases.back().x = cases.front().x;
      }
      const std::vector<at::Tensor> joined = multiply_joined_on_device(cases);
      for (size_t i = 0; i < cases.size(); ++i) {
        INFO("product " << i);
        REQUIRE(equal_bits(joined[i], multiply_on_device(cases[i])));
      }
    }
  });
}

TEST_CASE("a joined device product agrees with double precision in each of its weights") {
  for (const int64_t M : {1, 4}) {
    for (const bool table : {false, true}) {
      std::vector<ProductCase> cases;
      for (const int64_t N : {32, 9, 33}) {
        cases.push_back(make_product(M, N, 256, 128, 4, at::kBFloat16, table));
        cases.back().x = cases.front().x;
      }
      const std::vector<at::Tensor> joined = multiply_joined_on_device(cases);
      for (size_t i = 0; i < cases.size(); ++i)
        require_near_on_device(joined[i], cases[i]);
    }
  }
}

TEST_CASE("device packed products of no tokens, no rows, unknown bits and too many weights") {
  ProductCase c = make_product(1, 3, 64, 32, 4, at::kFloat, false);
  const ProductCase none = make_product(0, 3, 64, 32, 4, at::kFloat, false);
  REQUIRE(multiply_on_device(none).sizes() == at::IntArrayRef({0, 3}));
  at::Tensor y = at::empty({1, 3});
  const auto status_of = [&](const std::vector<CudaProduct>& products) {
    return device::packed_product(products.data(), static_cast<int32_t>(products.size()), device_input(c.x),
                                  1, nullptr);
  };
  const CudaProduct whole = device_product(c, y);
  CudaProduct empty{}, unknown = whole;
  empty.shape = {0, 64, 32, 4};
  unknown.shape.bits = 5;
  REQUIRE(status_of({empty}) == nullptr);
  REQUIRE(status_of({unknown}) != nullptr);
  REQUIRE(status_of({whole, whole, whole, whole}) != nullptr);
  REQUIRE(status_of({empty, whole, empty}) == nullptr);
  REQUIRE(equal_bits(y, multiply_on_device(c)));
}
