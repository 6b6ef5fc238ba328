// Grids found behind weights that were quantized, multiplied out and stored in 16 bits. Oracle: the codes and
// zeros that made them, by docs/method.md's formula in ATen's operators.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "quant/absorbed_grid.h"

using namespace qslaw;

namespace {

constexpr int64_t kRows = 64, kColumns = 384;

struct Absorbed {
  at::Tensor steps;   // code - zero, float32 [groups, G]
  at::Tensor zero;    // float32 [groups]
  at::Tensor weight;  // float32 [N, K], not yet rounded
};

// OmniQuant's grid with its first clipping factors, and gamma between 0.6 and 1.5 as QSLAW learns it: below 1
// codes are cut at the ends, above 1 the ends are often not reached.
Absorbed absorb(const at::Tensor& weight_NK, int bits, int64_t group_size) {
  const double top = (1 << bits) - 1, factor = 0.98201379;
  const at::Tensor groups = weight_NK.reshape({-1, group_size});
  const at::Tensor low = groups.amin(1, true) * factor, high = groups.amax(1, true) * factor;
  const at::Tensor scale = ((high - low) / top).clamp(1e-5, 1e4);
  const at::Tensor zero = (-low / scale).clamp(-1e4, 1e4).round();
  const at::Tensor gamma = (1.0 + 0.15 * at::randn_like(scale)).clamp(0.6, 1.5);
  const at::Tensor steps = ((groups / (scale * gamma)).round() + zero).clamp(0, top) - zero;
  return {steps, zero.flatten(), (steps * scale).view(weight_NK.sizes())};
}

// Steps of the found grid: code - zero of every weight, [groups, G].
at::Tensor found_steps(const at::Tensor& stored, const GroupGrid& grid, int bits, int64_t group_size) {
  const at::Tensor codes = unpack_codes(quantize_packed(stored, grid, {}, bits), bits, stored.size(1));
  return codes.view({-1, group_size}).to(at::kFloat) - grid.zero.view({-1, 1}).to(at::kFloat);
}

at::Tensor restored(const at::Tensor& stored, const GroupGrid& grid, int bits, at::ScalarType dtype) {
  return dequantize_packed(quantize_packed(stored, grid, {}, bits), grid, bits, dtype);
}

// Whether 16-bit values of these steps say everything: the grid's ends are both used, 0 is on it, and the
// steps have no common divisor. (Ratios of numbers up to 15 differ by 1/225 or more. Float16 moves two values
// by 2 * 2^-11 at most, bfloat16 by 2 * 2^-8: a wrong reading would have to fit all values of a group at
// once, of which these seeds have none.)
bool one_meaning(const at::Tensor& steps, int bits) {
  const int64_t least = steps.min().item<int64_t>(), most = steps.max().item<int64_t>();
  int64_t divisor = 0;
  for (int64_t i = 0; i < steps.numel(); ++i)
    divisor = std::gcd(divisor, steps[i].item<int64_t>());
  return most - least == (1 << bits) - 1 && least <= 0 && most >= 0 && divisor == 1;
}

std::string error_of(const at::Tensor& weight_NK, int bits, int64_t group_size) {
  try {
    absorbed_grid("model.layers.1.mlp.up_proj", weight_NK, bits, group_size);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE(
    "absorbed weights: the grid gives them again bit for bit, and codes and zeros where they have one") {
  const int bits = GENERATE(2, 3, 4);
  const int64_t group_size = GENERATE(32, 64, 128);
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  INFO(bits << " bits, groups of " << group_size << ", " << c10::toString(dtype));
  at::manual_seed(1);
  const Absorbed made = absorb(0.02 * at::randn({kRows, kColumns}), bits, group_size);
  const at::Tensor stored = made.weight.to(dtype);
  const AbsorbedGrid found = absorbed_grid("w", stored, bits, group_size);
  CHECK(at::equal(restored(stored, found.grid, bits, dtype), stored));
  const at::Tensor steps = found_steps(stored, found.grid, bits, group_size);
  const at::Tensor zero = found.grid.zero.flatten().to(at::kFloat);
  int64_t with_one = 0, wrong = 0;
  for (int64_t g = 0; g < steps.size(0); ++g) {
    if (!one_meaning(made.steps[g], bits)) continue;
    ++with_one;
    wrong += at::equal(steps[g], made.steps[g]) && at::equal(zero[g], made.zero[g]) ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(with_one > steps.size(0) / 4);
  // All others leave at least one code at an end unused, so that another zero serves as well.
  CHECK(found.groups_with_choice == steps.size(0) - with_one);
  CHECK(found.groups_with_choice > 0);
}

TEST_CASE("absorbed weights: a group that leaves codes unused has the same steps, its lowest weight code 0") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  // Steps -3 to 8 of codes 0 to 15: zeros 3 to 7 all serve. Without a common divisor, and too wide to double.
  const at::Tensor steps = at::arange(32).remainder(12) - 3;
  const at::Tensor stored = (steps.to(at::kFloat) * 0.0123F).to(dtype).view({1, 32});
  const AbsorbedGrid found = absorbed_grid("w", stored, 4, 32);
  CHECK(found.grid.zero.item<int>() == 3);
  CHECK(at::equal(found_steps(stored, found.grid, 4, 32).flatten(), steps.to(at::kFloat)));
  CHECK(found.groups_with_choice == 1);
  // Half a unit in the last place, of the largest weight.
  CHECK(found.grid.scale.item<double>() == Approx(0.0123).epsilon(dtype == at::kHalf ? 0x1p-11 : 0x1p-8));
}

TEST_CASE("absorbed weights: groups of one sign, of one value, of two, of none") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  const int bits = GENERATE(2, 3, 4);
  INFO(bits << " bits, " << c10::toString(dtype));
  at::manual_seed(2);
  const at::Tensor one_sign =
      absorb(at::cat({0.02 * at::randn({32, 64}) + 0.08, 0.02 * at::randn({32, 64}) - 0.08}), bits, 32)
          .weight;
  // The formula's constant group has a step of 1e-5 and a zero of some thousands (docs/method.md).
  const at::Tensor constant =
      absorb(at::tensor({0.05F, -0.05F, 1e-3F, -2.0F}).view({4, 1}).expand({4, 64}).contiguous(), bits, 32)
          .weight;
  const at::Tensor signs = at::arange(64).remainder(2).to(at::kFloat).view({1, 64});
  const at::Tensor two = at::cat({signs * 0.7, signs * 0.31 - 0.31, 1.4 * signs - 0.7});
  const at::Tensor none = at::zeros({2, 64});
  const at::Tensor minus_zero = at::cat({-none, two * -0.0}, 0);
  for (const at::Tensor& weight : {one_sign, constant, two, none, minus_zero}) {
    const at::Tensor stored = weight.to(dtype);
    const AbsorbedGrid found = absorbed_grid("w", stored, bits, 32);
    CHECK(at::equal(restored(stored, found.grid, bits, dtype), stored));
    CHECK(found.grid.scale.min().item<float>() > 0.0F);
  }
  const AbsorbedGrid of_two = absorbed_grid("w", two.to(dtype), bits, 32);
  CHECK(of_two.groups_with_choice == 6);
  // The largest scale: steps of 1, from a zero as near to 0 as can be.
  CHECK(at::equal(of_two.grid.zero, at::tensor({0, 0, 1, 1, 1, 1}, at::kShort).view({3, 2})));
  CHECK(of_two.grid.scale[0][0].item<float>() == Approx(0.7).epsilon(dtype == at::kHalf ? 0x1p-11 : 0x1p-8));
}

TEST_CASE("absorbed weights: rounded to the other 16-bit type before, or kept in float32") {
  at::manual_seed(3);
  const Absorbed made = absorb(0.02 * at::randn({kRows, kColumns}), 4, 128);
  const at::Tensor half = made.weight.to(at::kHalf), bfloat = made.weight.to(at::kBFloat16);
  for (const at::Tensor& stored :
       {half.to(at::kBFloat16), bfloat.to(at::kHalf), bfloat.to(at::kFloat), half.to(at::kFloat)}) {
    const AbsorbedGrid found = absorbed_grid("w", stored, 4, 128);
    const at::Tensor steps = found_steps(stored, found.grid, 4, 128);
    int64_t wrong = 0;
    for (int64_t g = 0; g < steps.size(0); ++g)
      wrong += one_meaning(made.steps[g], 4) && !at::equal(steps[g], made.steps[g]) ? 1 : 0;
    CHECK(wrong == 0);
    // Half a unit in the last place of bfloat16, and of float16 before it: 2^-8 + 2^-11 of a weight, and a
    // little for float32's own rounding.
    CHECK(at::allclose(restored(stored, found.grid, 4, at::kFloat), stored.to(at::kFloat), 0x1.21p-8, 0.0));
  }
}

TEST_CASE("absorbed weights: both signs without 0, the largest as far from it as the grid reaches") {
  const int bits = GENERATE(2, 3, 4);
  const float sign = GENERATE(1.0F, -1.0F);
  INFO(bits << " bits, sign " << sign);
  // Steps -1 and 2^bits - 2, and some between: no other scale gives them, as their greatest divisor is 1 and
  // the range is the grid's.
  const int top = (1 << bits) - 1;
  at::Tensor steps = at::arange(32).remainder(top - 1) + 1;
  steps[0] = -1;
  const at::Tensor stored = (sign * 0.0123 * steps.to(at::kFloat)).to(at::kBFloat16).view({1, 32});
  const AbsorbedGrid found = absorbed_grid("w", stored, bits, 32);
  CHECK(at::equal(found_steps(stored, found.grid, bits, 32).flatten(), sign * steps.to(at::kFloat)));
  CHECK(found.groups_with_choice == 0);
}

TEST_CASE("absorbed weights: a narrow group far from 0 lies on a grid of the type's own spacing") {
  // 1 + i/128 for i = 0 to 15: 16 neighbors in bfloat16.
  const at::Tensor stored = (1.0 + at::arange(32).remainder(16) / 128.0).to(at::kBFloat16).view({1, 32});
  const AbsorbedGrid found = absorbed_grid("w", stored, 4, 32);
  CHECK(at::equal(restored(stored, found.grid, 4, at::kBFloat16), stored));
  CHECK(found.grid.zero.item<int>() < -100);
}

TEST_CASE("absorbed weights: what was never quantized is refused with linear, row and columns") {
  at::manual_seed(4);
  at::Tensor weight = absorb(0.02 * at::randn({kRows, kColumns}), 4, 128).weight.to(at::kBFloat16);
  CHECK(error_of(weight, 4, 128).empty());
  const at::Tensor random = 0.02 * at::randn({128});
  weight[7].narrow(0, 128, 128).copy_(random);
  const auto different = std::get<0>(at::_unique(random.to(at::kBFloat16))).numel();
  CHECK(error_of(weight, 4, 128) ==
        "[quantize] model.layers.1.mlp.up_proj, row 7, columns 128 to 255: expected weights that were "
        "quantized "
        "to 4 bits in groups of 128, got " +
            std::to_string(different) + " different values that lie on no such grid");
  // Few values, but on no grid of 4 levels: 1 : 0.37 : 0.61 are no ratios of 1, 2 and 3.
  const at::Tensor few = at::tensor({1.0F, 0.37F, 0.61F, 0.0F}).repeat({1, 8}).to(at::kHalf);
  CHECK_THAT(error_of(few, 2, 32), Catch::Contains("row 0, columns 0 to 31") &&
                                       Catch::Contains("2 bits in groups of 32, got 4 different values"));
  // Groups of another size, and fewer bits.
  CHECK_THAT(error_of(absorb(at::randn({8, 128}), 4, 32).weight.to(at::kHalf), 4, 128),
             Catch::Contains("groups of 128"));
  CHECK_THAT(error_of(absorb(at::randn({8, 128}), 4, 128).weight.to(at::kHalf), 3, 128),
             Catch::Contains("quantized to 3 bits"));
  CHECK_THAT(error_of(at::randn({8, 128}), 4, 128),
             Catch::Contains("of 16 bits") && Catch::Contains("float32"));
  at::Tensor not_finite = at::randn({8, 128});  // NaN equals nothing: before the complaint about the type
  not_finite[2][3] = NAN;
  CHECK_THAT(error_of(not_finite, 4, 128),
             Catch::Contains("up_proj: expected finite weights, got NaN or infinity"));
  weight[3][5] = NAN;
  CHECK_THAT(error_of(weight, 4, 128), Catch::Contains("row 3, columns 0 to 127: expected finite weights"));
}
