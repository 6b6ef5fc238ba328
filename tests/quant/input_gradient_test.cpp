// Gradients with respect to the input, made from the same codes as the product: of packed linears in every
// format, by column tiles; and of scale learning.
#include "kernels/isa_case.h"
#include "kernels/product_case.h"
#include "kernels/step_case.h"
#include "quant/packed_linear.h"
#include "quant/scale_linear.h"

using namespace qslaw;

namespace {

PackedWeight packed_of(const ProductCase& c) {
  PackedWeight weight;
  weight.bits = c.bits;
  weight.group_size = c.x.size(1) / c.grid.scale.size(1);
  weight.codes = c.codes;
  if (c.table.defined()) {
    weight.kind = CodeKind::normal_float;
    weight.absmax = c.absmax;
    weight.table = c.table;
  } else {
    weight.grid = c.grid;
  }
  return weight;
}

// The weights by LibTorch's operations, each of which rounds once, in `dtype`.
at::Tensor weights_of(const ProductCase& c, at::ScalarType dtype) {
  const int64_t K = c.x.size(1), G = K / c.grid.scale.size(1);
  const auto spread = [&](const at::Tensor& t) { return t.to(at::kFloat).repeat_interleave(G, 1); };
  const at::Tensor codes = unpack_codes(c.codes, c.bits, K), scale = spread(c.grid.scale);
  if (c.table.defined()) return (c.table.index({codes.to(at::kLong)}) * scale).to(dtype);
  return ((codes.to(at::kFloat) - spread(c.grid.zero)) * scale).to(dtype);
}

Exact exact_gradient(const at::Tensor& dY, const at::Tensor& weight_NK) {
  const at::Tensor wide = dY.to(at::kDouble), weight = weight_NK.to(at::kDouble);
  return {wide.mm(weight), wide.abs().mm(weight.abs())};
}

// A linear product's differences are exact for any step: around 0 a step of 1 leaves the roundings of one
// weight per output.
void require_differences(const Operator& product, int64_t rows, int64_t columns) {
  at::manual_seed(5);
  require_central_differences(product, {at::zeros({2, columns})}, at::randn({2, rows}), 1.0F, 1e-4);
}

}  // namespace

TEST_CASE(
    "a packed linear's input gradient agrees with double precision in every format, the same bits each "
    "time") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    for (const int64_t N : {1, 37}) {
      for (const int64_t M : {0, 1, 5}) {
        INFO(M << " tokens, " << N << " rows");
        const ProductCase c = make_product(M, N, 3 * G, G, bits, dtype, table);
        const PackedWeight weight = packed_of(c);
        at::manual_seed(static_cast<uint64_t>(M + N + bits));
        const at::Tensor dY = at::randn({M, N}).to(dtype);
        const Exact exact = exact_gradient(dY, weights_of(c, dtype));
        for_each_isa([&] {
          for (const int64_t tile :
               {int64_t{1}, kTileElements}) {  // one tile per group (32: two groups), and one for all
            const at::Tensor dX = packed_input_gradient(weight, dY, tile);
            REQUIRE(dX.sizes() == at::IntArrayRef({M, 3 * G}));
            REQUIRE(dX.scalar_type() == dtype);
            // Float32 sums of up to 37 terms, each addition off by 2^-24 of what was added so far.
            require_within(dX, exact, 37 * 0x1p-24);
            REQUIRE(equal_bits(packed_input_gradient(weight, dY, tile), dX));
          }
        });
      }
    }
  });
}

TEST_CASE("a packed linear's input gradient equals central differences of its product") {
  for_each_product_format([](int bits, int64_t G, at::ScalarType dtype, bool table) {
    if (dtype != at::kFloat || G != 32) return;
    const ProductCase c = make_product(2, 5, 2 * G, G, bits, dtype, table);
    const auto linear = std::make_shared<PackedLinear>(std::make_shared<PackedWeight>(packed_of(c)));
    for_each_isa(
        [&] { require_differences([=](const Tensors& in) { return linear->forward(in[0]); }, 5, 2 * G); });
  });
}

TEST_CASE("a scale-learning linear's input gradient equals central differences of its product") {
  at::manual_seed(6);
  const at::Tensor weight = at::randn({5, 64});
  for (const int bits : {2, 3, 4, 8}) {
    INFO("bits " << bits);
    const GroupGrid grid = grid_from_range(group_range(weight, 32), bits);
    ScaleLinear linear({"model.layers.7.mlp.up_proj", 7, 5, 64}, weight, grid, bits);
    {
      at::NoGradGuard no_grad;
      linear.gamma().mul_(0.5 + at::rand_like(linear.gamma()));
    }
    require_differences([&](const Tensors& in) { return linear.forward(in[0]); }, 5, 64);
  }
}

TEST_CASE("gamma's gradient adds up over micro-batches, the same bits each time") {
  at::manual_seed(7);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const at::Tensor weight = at::randn({37, 192}).to(dtype);
  const GroupGrid grid = grid_from_range(group_range(weight, 64), 3);
  ScaleLinear linear({"model.layers.7.mlp.up_proj", 7, 37, 192}, weight, grid, 3);
  const at::Tensor x = at::randn({3, 11, 192}).to(dtype), dY = at::randn({3, 11, 37}).to(dtype);
  // Of the micro-batches begin..end-1, one after the other.
  const auto gradient = [&](int64_t begin, int64_t end) {
    linear.gamma().mutable_grad() = at::Tensor();
    for (int64_t batch = begin; batch < end; ++batch)
      torch::autograd::backward({linear.forward(x[batch])}, {dY[batch]});
    return linear.gamma().grad().clone();
  };
  const at::Tensor all = gradient(0, 3);
  REQUIRE(all.scalar_type() == at::kFloat);
  REQUIRE(equal_bits(gradient(0, 3), all));
  REQUIRE(at::equal(all, gradient(0, 1) + gradient(1, 2) + gradient(2, 3)));
}
