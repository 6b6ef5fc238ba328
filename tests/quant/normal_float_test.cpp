// The oracle is bitsandbytes 0.50.2 (scripts/fixtures/make_quant_fixtures.py).
#include "quant/normal_float.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "core/error.h"
#include "io/safetensors.h"
#include "kernels/absmax_case.h"
#include "kernels/group_quant.h"

using namespace qslaw;

namespace {

// bitsandbytes puts the first of two codes into the high half of a byte.
at::Tensor unpack_high_first(const at::Tensor& packed, at::IntArrayRef shape) {
  return at::stack({packed.bitwise_right_shift(4), packed.bitwise_and(15)}, -1)
      .flatten()
      .narrow(0, 0, shape[0] * shape[1])
      .view(shape);
}

}  // namespace

TEST_CASE("the tables are bitsandbytes' own") {
  const SafetensorsFile golden(std::string(QSLAW_FIXTURES) + "/quant/nf4.safetensors");
  CHECK(at::equal(normal_float_table(4), golden.tensor("quant_map")));
  // The dynamic map is computed through a float32 linspace whose last bit depends on the library.
  CHECK(at::allclose(dynamic_map(), golden.tensor("nested_quant_map"), 0.0, 1e-7));
}

TEST_CASE("NF4 codes and double quantization agree with bitsandbytes") {
  const SafetensorsFile golden(std::string(QSLAW_FIXTURES) + "/quant/nf4.safetensors");
  for (const std::string name :
       {"square", "odd_blocks", "outliers", "zero_block", "tiny", "bf16", "one_nested_block"}) {
    INFO(name);
    const at::Tensor weight = golden.tensor(name + ".weight");
    const NormalFloatCodes codes = normal_float_quantize(weight, 4);
    const at::Tensor expected = unpack_high_first(golden.tensor(name + ".codes"), weight.sizes());
    const at::Tensor codes_NK = unpack_codes(codes.codes, 4, weight.size(1));
    const at::Tensor difference = (codes_NK.to(at::kInt) - expected.to(at::kInt)).abs();
    // One step where a weight lies within rounding of a midpoint (x / absmax against x * (1 / absmax)).
    CHECK(difference.max().item<int>() <= 1);
    CHECK(difference.sum().item<int64_t>() <= weight.numel() / 1000);

    const AbsmaxCodes nested = quantize_absmax(codes.absmax);
    CHECK(at::allclose(nested.offset, golden.tensor(name + ".offset"), 1e-6, 0.0));
    CHECK(at::allclose(nested.nested_absmax, golden.tensor(name + ".nested_absmax"), 1e-5, 1e-9));
    const at::Tensor packed = codes.codes, table = normal_float_table(4);
    const at::Tensor restored = dequantize_table(packed, nested, table, 4, at::kFloat);
    CHECK(at::equal(restored,
                    table.index({codes_NK.to(at::kLong)}) * absmax_values(nested).repeat_interleave(64, 1)));
    for (int64_t row = 0; row < weight.size(0); ++row) {  // rows begin anywhere within a block of 256
      at::Tensor rows = at::empty({weight.size(0) - row, weight.size(1)});
      dequantize_table_into(packed, nested, table, 4, row, weight.size(0), rows);
      CHECK(at::equal(rows, restored.narrow(0, row, rows.size(0))));
    }
    // One step of the 8-bit absmax code is at most 1/128 of the nested absmax.
    const double step = golden.tensor(name + ".nested_absmax").max().item<double>() / 64;
    const at::Tensor same = difference == 0;
    CHECK(at::allclose(restored.masked_select(same), golden.tensor(name + ".dequantized").masked_select(same),
                       1e-5, step));
  }
}

TEST_CASE("tables come from the paper's construction") {
  // Of n = 2^bits levels: with p = 1 - (1 / (2 (n - 1)) + 1 / (2 n)) / 2, the normal distribution's quantiles
  // at n/2 + 1 places from p to 1/2 and, negated, at n/2 places, the zeros at 1/2 counted once, over the
  // largest. By Python's statistics.NormalDist().inv_cdf, in double precision; the constants come from
  // float32 quantiles, whose last bits are lost.
  const at::Tensor two = at::tensor({-1.0, 0.0, 0.4358181646, 1.0}, at::kDouble);
  const at::Tensor three = at::tensor(
      {-1.0, -0.5350227085, -0.2469314318, 0.0, 0.1833374803, 0.3819939543, 0.6229857417, 1.0}, at::kDouble);
  const at::Tensor four = at::tensor(
      {-1.0, -0.6961928056, -0.5250729594, -0.3949174259, -0.2844413089, -0.1847734028, -0.0910499760, 0.0,
       0.0795803150, 0.1609301444, 0.2461122513, 0.3379151367, 0.4407097319, 0.5626168880, 0.7229566442, 1.0},
      at::kDouble);
  for (const auto& [bits, expected] : {std::pair{2, two}, std::pair{3, three}, std::pair{4, four}}) {
    INFO(bits);
    const at::Tensor table = normal_float_table(bits);
    REQUIRE(table.sizes() == expected.sizes());
    CHECK((table.to(at::kDouble) - expected).abs().max().item<double>() < 1e-6);
    CHECK(table[expected.numel() / 2 - 1].item<float>() == 0.0F);
  }
  CHECK_THROWS_AS(normal_float_table(8), UserError);
}
