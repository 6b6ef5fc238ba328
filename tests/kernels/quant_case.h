// Weights, grids and gradients that reach every branch of the group quantizer, over all its formats.
#pragma once
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <catch2/catch.hpp>

#include "absmax_case.h"
#include "kernels/group_quant.h"

namespace qslaw {

inline constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf};

struct QuantCase {
  at::Tensor weight_NK, gamma, gradient_NK;
  GroupGrid grid;
  AbsmaxCodes absmax;  // of table codes
  int bits;
  int64_t group_size;
};

// Multiples of half a step: each group reaches from -top / 32 to top / 32, so its step is 1 / 16.
inline at::Tensor halfway_row(int64_t K, int64_t G, int bits, at::Generator generator) {
  const int64_t top = (1 << bits) - 1;
  at::Tensor row = at::randint(-top, top + 1, {K / G, G}, generator).to(at::kFloat);
  row.select(1, 0).fill_(-top);
  row.select(1, 1).fill_(top);
  return row.flatten() / 32;
}

// Random weights with a row of one sign, a group of zeros, a constant group, and (from three rows on) a row
// whose weights lie on the grid's points or halfway between two.
inline QuantCase make_case(int64_t N, int64_t K, int64_t G, int bits, at::ScalarType dtype) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(N * K + G + bits));
  at::Tensor w = at::randn({N, K}, generator) * 0.05;
  w.select(0, N - 1).abs_().add_(0.3);
  w.select(0, 0).slice(0, 0, G).zero_();
  w.select(0, 0).slice(0, G, 2 * G).fill_(0.05);
  if (N > 2) w.select(0, 1).copy_(halfway_row(K, G, bits, generator));
  QuantCase c;
  c.weight_NK = w.to(dtype);
  c.grid = grid_from_range(group_range(c.weight_NK, G), bits);
  c.gamma = 1 + 0.4 * (at::rand(c.grid.scale.sizes(), generator) - 0.5);
  if (N > 2) c.gamma.select(0, 1).fill_(1.0);  // keeps the halfway weights halfway
  c.gradient_NK = at::randn({N, K}, generator);
  c.absmax = random_absmax(N, K / G, generator);
  c.bits = bits, c.group_size = G;
  return c;
}

// Calls test(case) over bits, group sizes, types and odd numbers of rows.
template <typename Test>
void for_each_case(Test test) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 64, 128}) {
      for (const at::ScalarType dtype : kTypes) {
        for (const int64_t N : {1, 7}) {
          INFO("bits " << bits << ", group " << G << ", rows " << N << ", " << toString(dtype));
          test(make_case(N, 3 * G, G, bits, dtype));
        }
      }
    }
  }
}

inline bool equal_bits(const at::Tensor& a, const at::Tensor& b) {
  const auto bytes = [](const at::Tensor& t) { return t.contiguous().view(at::kByte); };
  return a.scalar_type() == b.scalar_type() && at::equal(bytes(a), bytes(b));
}

}  // namespace qslaw
