// Dropout: the documented function of seed and position, its rate, what dtypes and threads must not change.
#include "kernels/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

using namespace qslaw;

namespace {

constexpr uint64_t kSeed = 0x123456789abcdef0ULL;

// The finalizer of dropout_math.h restated with 64-bit arithmetic.
uint64_t restated_mix(uint64_t h) {
  const uint64_t low32 = 0xffffffffULL;
  h = h ^ (h >> 16);
  h = (h * 0x7feb352dULL) & low32;
  h = h ^ (h >> 15);
  h = (h * 0x846ca68bULL) & low32;
  return h ^ (h >> 16);
}

at::Tensor kept(uint64_t seed, int64_t n, double rate) {
  return dropout(at::ones({n}), rate, seed) != 0;
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble) - a.to(at::kDouble).mean(),
                   y = b.to(at::kDouble) - b.to(at::kDouble).mean();
  return (x * y).mean().item<double>() /
         std::sqrt((x * x).mean().item<double>() * (y * y).mean().item<double>());
}

}  // namespace

TEST_CASE("dropout keeps the entries that seed and position say") {
  const double rate = 0.3;
  const at::Tensor x = at::arange(1, 2001, at::kFloat), y = dropout(x, rate, kSeed);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const uint64_t bits =
        restated_mix(restated_mix(static_cast<uint64_t>(i) ^ (kSeed & 0xffffffffULL)) ^ (kSeed >> 32));
    const bool is_dropped = static_cast<double>(bits) < rate * 4294967296.0 - 1;
    CHECK(y[i].item<float>() ==
          (is_dropped ? 0.0F : x[i].item<float>() * static_cast<float>(1.0 / (1.0 - rate))));
  }
}

TEST_CASE("dropout has its rate, and seeds and neighbors are independent") {
  constexpr int64_t kEntries = 1 << 18;
  for (const double rate : {0.05, 0.5}) {
    const at::Tensor a = kept(kSeed, kEntries, rate), b = kept(kSeed + 1, kEntries, rate),
                     c = kept(kSeed + (uint64_t{1} << 40), kEntries, rate);
    // Five standard deviations of a share, and of a correlation, of so many draws.
    CHECK(std::abs(a.to(at::kDouble).mean().item<double>() - (1 - rate)) <
          5 * std::sqrt(rate * (1 - rate) / kEntries));
    const double limit = 5 / std::sqrt(static_cast<double>(kEntries));
    CHECK(std::abs(correlation(a, b)) < limit);
    CHECK(std::abs(correlation(a, c)) < limit);
    for (const int64_t distance : {1, 2, 64, 4096})
      CHECK(std::abs(correlation(a.slice(0, distance), a.slice(0, 0, -distance))) < limit);
  }
}

TEST_CASE("dropout is the same in every dtype and on any number of threads") {
  const at::Tensor x = at::rand({37, 1001}) + 1;
  const at::Tensor wide = dropout(x, 0.1, kSeed);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(dropout(x, 0.1, kSeed), wide));
  at::set_num_threads(threads);
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor narrow = x.to(dtype), y = dropout(narrow, 0.1, kSeed);
    CHECK(at::equal(y != 0, wide != 0));
    const at::Tensor factor = at::scalar_tensor(1 / 0.9, at::kDouble).to(dtype);
    CHECK(at::equal(y, narrow * factor * (wide != 0)));
    at::Tensor sum = at::rand(x.sizes()).to(dtype);
    const at::Tensor expected = sum + y;
    add_dropout(sum, narrow, 0.1, kSeed);
    CHECK(at::equal(sum, expected));
  }
  CHECK(at::equal(dropout(x, 0.0, kSeed), x));
  CHECK(dropout(at::empty({0, 5}), 0.5, kSeed).sizes() == at::IntArrayRef({0, 5}));
}
