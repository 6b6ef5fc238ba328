// 16-bit scale learning and clipping against double precision, on the CPU and, where there is one, on a GPU.
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "kernels/gpu_case.h"
#include "kernels/quant_case.h"
#include "quant/packed_linear.h"
#include "quant/scale_linear.h"
#include "quant/weight_clipping.h"

using namespace qslaw;

namespace {

constexpr int64_t kRows = 96, kColumns = 320, kGroup = 64, kGroups = kColumns / kGroup;
constexpr int kBits = 3;  // coarse: many weights are clamped

struct ProductInputs {
  at::Tensor weight_NK, x, dY, gamma;
  GroupGrid grid;
};

// Two sequences of 37 tokens.
ProductInputs make_inputs() {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{11});
  ProductInputs inputs;
  inputs.weight_NK = at::randn({kRows, kColumns}, generator).to(at::kBFloat16);
  inputs.x = at::randn({2, 37, kColumns}, generator).to(at::kBFloat16);
  inputs.dY = at::randn({2, 37, kRows}, generator).to(at::kBFloat16);
  inputs.grid = grid_from_range(group_range(inputs.weight_NK, kGroup), kBits);
  inputs.gamma = 1 + 0.4 * (at::rand(inputs.grid.scale.sizes(), generator) - 0.7);
  return inputs;
}

struct Gradients {
  at::Tensor x, trained;
};

ScaleLinear scale_linear(const ProductInputs& inputs, at::Device device) {
  const LinearSpec spec{"model.layers.7.mlp.up_proj", 7, kRows, kColumns};
  ScaleLinear linear(spec, inputs.weight_NK.to(device),
                     {inputs.grid.scale.to(device), inputs.grid.zero.to(device)}, kBits);
  at::NoGradGuard no_grad;
  linear.gamma().copy_(inputs.gamma);
  return linear;
}

Gradients gradients_of(ScaleLinear& linear, const ProductInputs& inputs, at::Device device, bool of_x) {
  linear.gamma().mutable_grad() = at::Tensor();
  at::Tensor x = inputs.x.to(device).detach().requires_grad_(of_x);
  torch::autograd::backward({linear.forward(x)}, {inputs.dY.to(device)});
  return {x.grad().defined() ? x.grad().cpu() : x.grad(), linear.gamma().grad().cpu()};
}

at::Tensor by_group(const at::Tensor& values) {
  return values.to(at::kDouble).view({kRows, kGroups, kGroup});
}

// dL/dW^ and W of the weights that the clamp lets a gradient through, [N, K/G, G].
struct ExactTerms {
  at::Tensor slope, weight, inside;
};

ExactTerms exact_terms(const ProductInputs& inputs) {
  const at::Tensor step = (inputs.grid.scale * inputs.gamma).unsqueeze(-1);
  const at::Tensor weight = inputs.weight_NK.to(at::kFloat).view({kRows, kGroups, kGroup});
  const at::Tensor position = at::round(weight / step) + inputs.grid.zero.unsqueeze(-1);
  const at::Tensor dY_MN = inputs.dY.flatten(0, 1).to(at::kDouble);
  return {by_group(at::mm(dY_MN.t(), inputs.x.flatten(0, 1).to(at::kDouble))), weight.to(at::kDouble),
          (position >= 0).logical_and(position <= (1 << kBits) - 1).to(at::kDouble)};
}

// A float32 sum over 74 tokens of terms of size 1 is off by that at most.
constexpr double kTokenSum = 74 * 74 * 0x1p-24;

// `rounding` is how far each dL/dW^ may be off besides, relative to itself. The sum over the group, 8
// additions deep in float32, is off by 2^-21 of its terms' sizes, less than kTokenSum makes of each.
void require_gamma_gradient(const at::Tensor& actual, const ProductInputs& inputs, double rounding) {
  const ExactTerms exact = exact_terms(inputs);
  const at::Tensor terms = exact.inside * exact.slope * exact.weight;
  const at::Tensor squared = inputs.gamma.to(at::kDouble).square();
  const at::Tensor error = (actual.to(at::kDouble) + terms.sum(-1) / squared).abs();
  const at::Tensor largest = exact.inside * exact.weight.abs() * (exact.slope.abs() * rounding + kTokenSum);
  REQUIRE(actual.scalar_type() == at::kFloat);
  CHECK((error <= largest.sum(-1) / squared).all().item<bool>());
}

void require_input_gradient(const at::Tensor& actual, const ScaleLinear& linear,
                            const ProductInputs& inputs) {
  const at::Tensor weight = linear.dense_weight(at::kBFloat16).cpu().to(at::kDouble);
  // Rounded to bfloat16 once, by 2^-8 of itself at most, behind a float32 sum of 96 terms of size 1.
  CHECK(at::allclose(actual.to(at::kDouble), at::matmul(inputs.dY.to(at::kDouble), weight), 1.0 / 256, 1e-4));
}

}  // namespace

TEST_CASE("bfloat16 scale learning agrees with double precision") {
  const ProductInputs inputs = make_inputs();
  ScaleLinear linear = scale_linear(inputs, at::kCPU);
  const Gradients both = gradients_of(linear, inputs, at::kCPU, true);
  // On the CPU dL/dW^ is rounded to bfloat16 once.
  require_gamma_gradient(both.trained, inputs, 1.0 / 256);
  require_input_gradient(both.x, linear, inputs);
  // Where x is a leaf without a gradient, none is made, and gamma's is the same.
  const Gradients alone = gradients_of(linear, inputs, at::kCPU, false);
  CHECK_FALSE(alone.x.defined());
  CHECK(equal_bits(alone.trained, both.trained));
}

TEST_CASE("gradients of clipping factors do not depend on whether the input has one, in either dtype") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  const ProductInputs inputs = make_inputs();
  const ClippedLinear linear(inputs.weight_NK.to(dtype), kGroup, kBits);
  std::vector<at::Tensor> results;
  for (const bool of_x : {true, false}) {
    ClippedLinear copy(inputs.weight_NK.to(dtype), kGroup, kBits);
    at::Tensor x = inputs.x.to(dtype).detach().requires_grad_(of_x);
    torch::autograd::backward({copy.forward(x)}, {inputs.dY.to(dtype)});
    CHECK(x.grad().defined() == of_x);
    results.push_back(copy.upper().grad());
  }
  CHECK(equal_bits(results[0], results[1]));
  // d(scale)/d(upper) of eq. 2: sigmoid'(4) high / (2^bits - 1), times dL/dscale, the sum of dL/dW^ (code -
  // zero
  // - [inside] W / scale) over the group.
  const at::Tensor dW =
      by_group(at::mm(inputs.dY.flatten(0, 1).to(at::kDouble).t(), inputs.x.flatten(0, 1).to(at::kDouble)));
  const PackedWeight packed = linear.pack();
  const at::Tensor scale = packed.grid.scale.unsqueeze(-1), zero = packed.grid.zero.unsqueeze(-1);
  const at::Tensor ratio = inputs.weight_NK.to(at::kFloat).view({kRows, kGroups, kGroup}) / scale;
  const at::Tensor position = at::round(ratio) + zero;
  const at::Tensor inside = (position >= 0).logical_and(position <= (1 << kBits) - 1).to(at::kDouble);
  const at::Tensor codes = by_group(unpack_codes(packed.codes, kBits, kColumns));
  const at::Tensor factor = codes - zero.to(at::kDouble) - inside * ratio.to(at::kDouble);
  const double sigmoid = 1.0 / (1.0 + std::exp(-4.0));
  const at::Tensor slope = sigmoid * (1.0 - sigmoid) / ((1 << kBits) - 1) *
                           group_range(inputs.weight_NK, kGroup).high.to(at::kDouble);
  const at::Tensor error = (results[0].to(at::kDouble) - slope * (dW * factor).sum(-1)).abs();
  // dL/dW^ is rounded once in bfloat16, and off by kTokenSum. The two parts of the factor are summed apart in
  // float32, over 64 terms, |code - zero| being 7 at most and |W / scale| 8: off by 64 * 2^-24 of their
  // sizes.
  const double rounding = dtype == at::kFloat ? 0.0 : 1.0 / 256;
  const at::Tensor largest =
      factor.abs() * (dW.abs() * rounding + kTokenSum) + (dW.abs() + 1.0) * (15 * 64 * 0x1p-24);
  CHECK((error <= slope.abs() * largest.sum(-1)).all().item<bool>());
}

TEST_CASE("bfloat16 products with quantized weights on a GPU agree with double precision", "[gpu]") {
  if (!has_gpu()) return;
  const ProductInputs inputs = make_inputs();
  ScaleLinear linear = scale_linear(inputs, at::kCUDA);
  const Gradients first = gradients_of(linear, inputs, at::kCUDA, true);
  require_gamma_gradient(first.trained, inputs, 0.0);  // dL/dW^ is not rounded there
  require_input_gradient(first.x, linear, inputs);
  const Gradients again = gradients_of(linear, inputs, at::kCUDA, true);
  CHECK(equal_bits(again.trained, first.trained));
  CHECK(equal_bits(again.x, first.x));

  const auto packed = std::make_shared<PackedWeight>(linear.fold(kGroup));
  const at::Tensor dense = packed->dequantize(at::kBFloat16).cpu().to(at::kDouble);
  at::Tensor x = inputs.x.to(at::kCUDA).requires_grad_(true);
  const at::Tensor y = PackedLinear(packed).forward(x);
  torch::autograd::backward({y}, {inputs.dY.to(at::kCUDA)});
  // As require_input_gradient has it, with 320 terms of size 1 in y's sum.
  CHECK(at::allclose(y.detach().cpu().to(at::kDouble), at::matmul(inputs.x.to(at::kDouble), dense.t()),
                     1.0 / 256, 5e-4));
  CHECK(at::allclose(x.grad().cpu().to(at::kDouble), at::matmul(inputs.dY.to(at::kDouble), dense), 1.0 / 256,
                     1e-4));
}
