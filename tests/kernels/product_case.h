// Products of few tokens with packed weights: operands of every format, the exact products, how near to be.
#pragma once
#include "kernels/packed_product.h"
#include "quant_case.h"

namespace qslaw {

struct ProductCase {
  at::Tensor codes, x, table;  // table: undefined for uniform codes
  GroupGrid grid;              // of table codes: its scale are the absmax
  AbsmaxCodes absmax;          // of table codes only
  int bits;
};

inline ProductCase make_product(int64_t M, int64_t N, int64_t K, int64_t G, int bits, at::ScalarType dtype,
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
  if (table) {
    c.table = at::linspace(-1, 1, top + 1).pow(3).contiguous();
    c.absmax = random_absmax(N, K / G, generator);
    c.grid.scale = absmax_values(c.absmax);
  }
  c.bits = bits;
  return c;
}

inline PackedOperand operand_of(const ProductCase& c, at::Device device) {
  PackedOperand weight;
  weight.codes = c.codes.to(device);
  if (c.table.defined()) {
    weight.absmax = c.absmax.to(device);
    weight.table = c.table.to(device);
  } else {
    weight.grid = {c.grid.scale.to(device), c.grid.zero.to(device)};
  }
  return weight;
}

inline at::Tensor multiply(const at::Tensor& x, const PackedOperand& weight, int bits) {
  return weight.table.defined() ? packed_table_product(x, weight.codes, weight.absmax, weight.table, bits)
                                : packed_product(x, weight.codes, weight.grid, bits);
}

inline at::Tensor multiply(const ProductCase& c, at::Device device = at::kCPU) {
  return multiply(c.x.to(device), operand_of(c, device), c.bits);
}

// The exact product, and the sum of all magnitudes that were added, which bounds the roundings of any order.
struct Exact {
  at::Tensor y, magnitude;
};

inline Exact exact_product(const ProductCase& c) {
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

// The same of weights that are rounded to x's type first.
inline Exact rounded_product(const ProductCase& c) {
  const at::ScalarType dtype = c.x.scalar_type();
  const at::Tensor weight = c.table.defined() ? dequantize_table(c.codes, c.absmax, c.table, c.bits, dtype)
                                              : dequantize_packed(c.codes, c.grid, c.bits, dtype);
  const at::Tensor x = c.x.to(at::kDouble), wide = weight.to(at::kDouble);
  return {x.mm(wide.t()), x.abs().mm(wide.abs().t())};
}

// Up to `terms` of all magnitudes, then one rounding to y's type.
inline void require_within(const at::Tensor& y, const Exact& exact, double terms) {
  const double rounding = y.scalar_type() == at::kFloat  ? 0x1p-24
                          : y.scalar_type() == at::kHalf ? 0x1p-11
                                                         : 0x1p-8;
  const at::Tensor allowed = exact.magnitude * terms + exact.y.abs() * rounding * 1.01 + 1e-7;
  REQUIRE(((y.to(at::kDouble) - exact.y).abs() <= allowed).all().item<bool>());
}

// Float32 sums: a chain of partial sums has at most 4 additions per group and chunk and 60 more, each with an
// error of 2^-24 of what was added so far; 2^-17 of table levels (packed_product.h).
inline void require_near(const at::Tensor& y, const Exact& exact, const ProductCase& c) {
  const double chain = 60 + 4.0 * static_cast<double>(c.x.size(1)) / 32;
  require_within(y, exact, chain * 0x1p-24 + (c.table.defined() ? 0x1p-17 : 0));
}

// A product of CUDA: of several tokens in 16 bits it is that of rounded weights, unless scales are applied to
// the sums of groups (cuda/batched_product.cuh). Its sums: the matrix units add 17 numbers at once, each cut
// off at 2^-23 of the largest or later; one warp does so for every 16 of its columns, which are a fourth of
// all, up to a chunk of 128; another rounding scales a chunk; then 3 additions join the warps.
inline void require_near_on_device(const at::Tensor& y, const ProductCase& c) {
  if (c.x.scalar_type() == at::kFloat || c.x.size(0) == 1) return require_near(y, exact_product(c), c);
  const int64_t K = c.x.size(1), G = K / c.grid.scale.size(1);
  const bool scaled_late = !c.table.defined() && c.bits < 8 && G >= 128;
  const double tiles = static_cast<double>(K) / 64 + 8;
  require_within(y, scaled_late ? exact_product(c) : rounded_product(c), tiles * 18 * 0x1p-23 + 3 * 0x1p-24);
}

template <typename Test>
void for_each_product_format(Test test) {
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

}  // namespace qslaw
