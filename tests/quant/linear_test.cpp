// Packed and scale-learning linears against dense arithmetic, golden values and central differences.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "compare_tensors.h"
#include "io/safetensors.h"
#include "kernels/packed_product.h"
#include "packed_case.h"
#include "quant/packed_linear.h"
#include "quant/scale_linear.h"
#include "quant/weight_clipping.h"

using namespace qslaw;

namespace {

LinearSpec spec_of(const at::Tensor& weight) {
  return {"model.layers.7.mlp.up_proj", 7, weight.size(0), weight.size(1)};
}

}  // namespace

TEST_CASE("a packed linear equals a dense one with the dequantized weight, forward and backward") {
  at::manual_seed(1);
  const int bits = GENERATE(2, 3, 4, 8);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const at::Tensor weight = at::randn({37, 128});
  const auto packed = std::make_shared<PackedWeight>(pack(weight, bits, 64));
  const PackedLinear linear(packed);
  const int64_t tokens = GENERATE(5, 50);
  at::Tensor x = at::randn({2, tokens, 128}).to(dtype).requires_grad_(true);
  at::Tensor x_dense = x.detach().clone().requires_grad_(true);
  const at::Tensor y = linear.forward(x), y_dense = at::linear(x_dense, packed->dequantize(dtype));
  if (packed_product_pays(x, Codes::uniform, bits)) {
    // Codes are not rounded to the dtype before the product (packed_product.h): nearer to the product in
    // double precision than one rounding of the result, and of float32 sums of 128 terms, allows.
    const at::Tensor exact = at::linear(x.to(at::kDouble), packed->dequantize(at::kFloat).to(at::kDouble));
    const double rounding = dtype == at::kFloat ? 1e-5 : 1.0 / 256;
    CHECK(at::allclose(y.to(at::kDouble), exact, rounding, 1e-4));
  } else {
    CHECK(at::equal(y, y_dense));  // the same product over the same numbers
  }
  const at::Tensor gradient = at::randn_like(y);
  torch::autograd::backward({y}, {gradient});
  torch::autograd::backward({y_dense}, {gradient});
  // The gradients go through differently shaped products: float32 sums of 37 terms in another order. In
  // bfloat16 each is rounded once, by 2^-8 of itself at most, so that two of them differ by 2^-7.
  CHECK(at::allclose(x.grad().to(at::kFloat), x_dense.grad().to(at::kFloat),
                     dtype == at::kFloat ? 1e-5 : 1.0 / 128, dtype == at::kFloat ? 1e-5 : 1e-4));
}

TEST_CASE("an NF4 linear equals a dense one with the dequantized weight, forward and backward") {
  at::manual_seed(6);
  const PackedWeight weight =
      pack_nf4(at::randn({37, 704}));  // rows of 11 blocks: they begin anywhere among 256
  const at::Tensor dense = weight.dequantize(at::kFloat);
  for (const int64_t tokens : {0, 1, 5, 50}) {
    const at::Tensor x = at::randn({tokens, 704}), gradient = at::randn({tokens, 37});
    CHECK(at::allclose(packed_forward(weight, x), at::linear(x, dense), 1e-4, 1e-4));
    CHECK(at::allclose(packed_input_gradient(weight, gradient), at::mm(gradient, dense), 1e-4, 1e-4));
  }
}

TEST_CASE("packed linears that multiply together give what each gives by itself") {
  at::manual_seed(10);
  const auto packed = [](int64_t N, int bits, int64_t group) {
    return PackedLinear(std::make_shared<PackedWeight>(pack(at::randn({N, 256}), bits, group)));
  };
  const auto nf4 = [](int64_t N) {
    return PackedLinear(std::make_shared<PackedWeight>(pack_nf4(at::randn({N, 256}))));
  };
  const PackedLinear q = packed(37, 4, 64), k = packed(5, 4, 64), v = packed(64, 4, 64);
  const PackedLinear gate = nf4(37), up = nf4(64), two = packed(37, 2, 64), coarse = packed(5, 4, 128);
  const DenseLinear dense(at::randn({9, 256}));
  const std::vector<std::vector<const Linear*>> all = {
      {&q, &k, &v}, {&gate, &up}, {&k},          {&q, &k, &v, &q},
      {&q, &two},   {&q, &gate},  {&q, &coarse}, {&q, &dense}};  // the last four: not of one format
  at::NoGradGuard no_grad;
  for (const int64_t tokens : {0, 1, 5, 300}) {
    const at::Tensor x = at::randn({tokens, 256});
    for (size_t i = 0; i < all.size(); ++i) {
      INFO(tokens << " tokens, case " << i);
      std::vector<at::Tensor> expected;
      for (const Linear* linear : all[i])
        expected.push_back(linear->forward(x));
      require_same_bits(all[i].front()->joined_forward(all[i], x), expected);
    }
  }
}

TEST_CASE("rows in tiles give the same result as all at once") {
  at::manual_seed(2);
  const at::Tensor values = at::randn({300, 32768});  // more than one tile of 2^22 elements
  const bool nf4 = GENERATE(false, true);
  const PackedWeight weight = nf4 ? pack_nf4(values) : pack(values, 4, 128);
  const at::Tensor x = at::randn({100, 32768}),
                   gradient = at::randn({100, 300});  // too many for packed_product
  const at::Tensor dense = weight.dequantize(at::kFloat);
  // Sums over 32,768 terms in another order: float32 rounding times the root of their number.
  CHECK(at::allclose(packed_forward(weight, x), at::linear(x, dense), 1e-4, 1e-2));
  CHECK(at::allclose(packed_input_gradient(weight, gradient), at::mm(gradient, dense), 1e-4, 1e-2));
}

TEST_CASE("bfloat16 products in several tiles are rounded once") {
  at::manual_seed(8);
  static constexpr int64_t N = 200, M = 35;                       // 70 tokens: too many for packed_product
  const int64_t K = GENERATE(5120, 11008, 13824), tile = 64 * K;  // tiles of 64 rows, or a quarter of K
  const at::Tensor values = at::randn({N, K});
  const bool nf4 = GENERATE(false, true);
  const PackedWeight weight = nf4 ? pack_nf4(values) : pack(values, 4, 128);
  const at::Tensor dense = weight.dequantize(at::kBFloat16).to(at::kDouble);
  // Against double precision: one rounding to bfloat16, 2^-8 of the result at most, and a float32 sum of up
  // to 13,824 terms of size 1, each of whose partial sums of about 100 is off by up to 2^-18: 118 times that
  // in all, the root of their number, were they added one after the other. Rounding to bfloat16 between two
  // tiles would be off by up to 0.25.
  const auto is_near = [](const at::Tensor& result, const at::Tensor& exact) {
    return result.scalar_type() == at::kBFloat16 && result.is_contiguous() &&
           at::allclose(result.to(at::kDouble), exact, 1.0 / 256, 5e-4);
  };
  const at::Tensor x = at::randn({2, M, K}).to(at::kBFloat16);
  CHECK(is_near(packed_forward(weight, x, tile), at::matmul(x.to(at::kDouble), dense.t())));
  const at::Tensor gradient = at::randn({2, M, N}).to(at::kBFloat16);
  CHECK(is_near(packed_input_gradient(weight, gradient, tile), at::matmul(gradient.to(at::kDouble), dense)));
}

TEST_CASE("scale learning matches the reference implementation's gradients") {
  const SafetensorsFile golden(std::string(QSLAW_FIXTURES) + "/quant/lwc.safetensors");
  for (int bits : {2, 3, 4, 8}) {
    for (int64_t group : {32, 64, 128}) {
      const std::string name = "b" + std::to_string(bits) + "g" + std::to_string(group) + ".";
      INFO(name);
      const at::Tensor weight = golden.tensor(name + "weight").clone();
      const GroupRange range = group_range(weight, group);
      const GroupGrid grid = grid_from_range({at::sigmoid(golden.tensor(name + "u")) * range.high,
                                              at::sigmoid(golden.tensor(name + "l")) * range.low},
                                             bits);
      CHECK(at::allclose(grid.scale, golden.tensor(name + "step"), 1e-6, 0.0));
      ScaleLinear linear(spec_of(weight), weight, grid, bits);
      linear.gamma().mutable_grad() = at::Tensor();
      {
        at::NoGradGuard no_grad;
        linear.gamma().copy_(golden.tensor(name + "gamma"));
      }
      CHECK(at::allclose(linear.dense_weight(at::kFloat), golden.tensor(name + "restored"), 1e-6, 1e-6));
      at::Tensor x = golden.tensor(name + "x").clone().requires_grad_(true);
      const at::Tensor y = linear.forward(x);
      CHECK(at::allclose(y, golden.tensor(name + "y"), 1e-4, 1e-5));  // sums of 256 float32 terms
      torch::autograd::backward({y}, {golden.tensor(name + "dy").clone()});
      CHECK(at::allclose(linear.gamma().grad(), golden.tensor(name + "dgamma"), 1e-4, 1e-4));
      CHECK(at::allclose(x.grad(), golden.tensor(name + "dx"), 1e-4, 1e-4));
    }
  }
}

TEST_CASE("gamma's gradient equals central differences of the surrogate") {
  // The surrogate freezes the rounding residual and the clamp's mask at gamma0; it is then smooth in gamma:
  // W^(gamma) = s ((W / (s gamma) + r + z) m + clamped (1 - m) - z), whose derivative is the straight-through
  // gradient.
  at::manual_seed(3);
  const int bits = GENERATE(2, 3, 4);
  const at::Tensor weight = at::randn({6, 64});
  const GroupGrid grid = grid_from_range(group_range(weight, 32), bits);
  ScaleLinear linear(spec_of(weight), weight, grid, bits);
  const at::Tensor gamma0 = 1.0 + 0.2 * at::rand_like(grid.scale);
  {
    at::NoGradGuard no_grad;
    linear.gamma().copy_(gamma0);
  }
  const at::Tensor x = at::randn({4, 64}), dY = at::randn({4, 6});
  torch::autograd::backward({linear.forward(x)}, {dY});

  const auto wide = at::kDouble;
  const at::Tensor s = grid.scale.to(wide).unsqueeze(-1), z = grid.zero.to(wide).unsqueeze(-1);
  const at::Tensor w = weight.to(wide).view({6, 2, 32}), g0 = gamma0.to(wide).unsqueeze(-1);
  const double top = (1 << bits) - 1;
  const at::Tensor position =
      at::round((weight.view({6, 2, 32}) / (grid.scale * gamma0).unsqueeze(-1))).to(wide) + z;
  const at::Tensor residual = position - z - w / (s * g0);
  const at::Tensor inside = (position >= 0).logical_and(position <= top);
  const auto loss = [&](const at::Tensor& gamma) {
    const at::Tensor moved = w / (s * gamma) + residual + z;
    const at::Tensor restored = s * (at::where(inside, moved, position.clamp(0.0, top)) - z);
    return (at::mm(x.to(wide), restored.view({6, 64}).t()) * dY.to(wide)).sum().item<double>();
  };
  constexpr double kStep = 1e-5;
  for (int64_t n = 0; n < 6; ++n) {
    for (int64_t k = 0; k < 2; ++k) {
      at::Tensor up = g0.clone(), down = g0.clone();
      up[n][k] += kStep;
      down[n][k] -= kStep;
      const double expected = (loss(up) - loss(down)) / (2 * kStep);
      // Central differences err by step^2; the float32 gradient by its own rounding.
      CHECK(linear.gamma().grad()[n][k].item<double>() == Approx(expected).epsilon(1e-4).margin(1e-4));
    }
  }
}

TEST_CASE("folding gamma gives codes whose weights are those that were trained with, bit for bit") {
  at::manual_seed(4);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const at::Tensor weight = at::randn({16, 128}).to(dtype);
  const GroupGrid grid = grid_from_range(group_range(weight, 32), 3);
  ScaleLinear linear(spec_of(weight), weight, grid, 3);
  CHECK(linear.changed_share() == 0.0);
  {
    at::NoGradGuard no_grad;
    linear.gamma().mul_(at::rand_like(linear.gamma()) + 0.5);
  }
  CHECK(at::equal(linear.fold(32).dequantize(at::kFloat), linear.dense_weight(at::kFloat)));
  CHECK(linear.changed_share() > 0.1);
}

TEST_CASE("the share of changed codes is counted over all slices of a large weight") {
  at::manual_seed(9);
  const at::Tensor weight = at::randn({700, 16384}).to(at::kBFloat16);  // three slices of 2^22 codes at most
  const GroupGrid grid = grid_from_range(group_range(weight, 128), 4);
  ScaleLinear linear(spec_of(weight), weight, grid, 4);
  {
    at::NoGradGuard no_grad;
    linear.gamma().narrow(0, 699, 1).mul_(0.9);  // in the last slice alone
    linear.gamma().narrow(0, 0, 1).mul_(1.1);    // and in the first
  }
  const at::Tensor before = quantize_packed(weight, grid, {}, 4);
  const at::Tensor changed =
      unpack_codes(before, 4, 16384).ne(unpack_codes(linear.fold(128).codes, 4, 16384));
  for (const int64_t row : {0, 699})
    CHECK(changed[row].any().item<bool>());
  CHECK(linear.changed_share() == changed.to(at::kDouble).mean().item<double>());
}

TEST_CASE("learnable clipping starts where the quantizer's kernels put it") {
  at::manual_seed(5);
  const at::Tensor weight = at::randn({8, 128});
  const ClippedLinear linear(weight, 64, 4);
  // The differentiable operators and the kernels define the same numbers; W + (round(W) - W) costs one
  // rounding.
  CHECK(at::allclose(linear.pack().dequantize(at::kFloat), linear.dense_weight(at::kFloat), 1e-5, 1e-5));
}
