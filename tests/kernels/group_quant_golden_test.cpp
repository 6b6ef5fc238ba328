// The quantizer against values worked out apart from this program, in exact rational or 40-digit decimal
// arithmetic and by LibTorch's autograd (gradients also by central differences). A group is a whole row here,
// shorter than the program allows.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/group_quant_cpu.h"
#include "kernels/quant_math.h"

using namespace qslaw;
using Floats = std::vector<float>;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Golden {
  int bits;
  Floats weights;
  float u = kInf, l = kInf;  // clipping factors before the sigmoid
};

struct Result {
  float scale, zero, gamma_gradient;
  Floats positions, restored;
  std::vector<int> codes;
};

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

// Scale, zero point, gamma and the largest code of the group.
cpu::Group group_of(const Golden& golden, float gamma) {
  float high = 0, low = 0;
  cpu::group_extremes(golden.weights.data(), static_cast<int64_t>(golden.weights.size()), high, low);
  high *= sigmoid(golden.u), low *= sigmoid(golden.l);
  const float top = static_cast<float>((1 << golden.bits) - 1), scale = group_scale(low, high, top);
  return {scale, scale * gamma, group_zero(low, scale), gamma, top};
}

// dL/dgamma; the sum takes multiples of 16 weights, and zeros add nothing.
float gradient_of(const cpu::Group& group, Floats weights, Floats gradient) {
  weights.resize(16), gradient.resize(16);
  return cpu::group_gamma_gradient(weights.data(), gradient.data(), 16, group);
}

Result evaluate(const Golden& golden, float gamma, const Floats& gradient = {}) {
  const cpu::Group group = group_of(golden, gamma);
  const auto n = static_cast<int64_t>(golden.weights.size());
  Result result{group.scale, group.zero, gradient_of(group, golden.weights, gradient), {}, Floats(n), {}};
  for (const float w : golden.weights)
    result.positions.push_back(grid_position(w, group.step, group.zero));
  std::vector<uint8_t> codes(n);
  cpu::group_codes(golden.weights.data(), n, group, codes.data());
  result.codes.assign(codes.begin(), codes.end());
  cpu::group_dequantize(codes.data(), n, group, result.restored.data());
  Floats fake(n);
  cpu::group_fake_quantize(golden.weights.data(), n, group, fake.data());
  REQUIRE(fake == result.restored);
  return result;
}

std::vector<int> clamped(const Floats& positions, int bits) {
  std::vector<int> codes;
  for (const float c : positions)
    codes.push_back(std::clamp(static_cast<int>(c), 0, (1 << bits) - 1));
  return codes;
}

void require_close(const Floats& values, const Floats& expected, float tolerance) {
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i)
    REQUIRE(std::abs(values[i] - expected[i]) <= tolerance);
}

// Exact positions, codes and values; gradients to 1e-5, the golden table's own tolerance (thirds are not
// floats).
void require_golden(const Golden& golden, float gamma, const Floats& gradient, const Floats& positions,
                    const Floats& restored, float gamma_gradient) {
  const Result result = evaluate(golden, gamma, gradient);
  REQUIRE(result.positions == positions);
  REQUIRE(result.codes == clamped(positions, golden.bits));
  REQUIRE(result.restored == restored);
  REQUIRE(std::abs(result.gamma_gradient - gamma_gradient) <= 1e-5F);
}

}  // namespace

TEST_CASE("golden G1: positions, values and gamma's gradient at 4 bits") {
  const Golden golden{4, {-1, -0.5625F, -0.1875F, 0.0625F, 0.1875F, 0.3125F, 0.4375F, 0.875F}};
  const Floats gradient{1, -2, 3, -4, 5, -6, 7, -8};
  const Result result = evaluate(golden, 1);
  REQUIRE(result.scale == 0.125F);
  REQUIRE(result.zero == 8.0F);
  require_golden(golden, 1, gradient, {0, 4, 6, 8, 10, 10, 12, 15},
                 {-1, -0.5F, -0.25F, 0, 0.25F, 0.25F, 0.5F, 0.875F}, 5.5625F);
  require_golden(golden, 0.75F, gradient, {-3, 2, 6, 9, 10, 11, 13, 17},
                 {-1, -0.75F, -0.25F, 0.125F, 0.25F, 0.375F, 0.625F, 0.875F}, -13.0F / 3);
  require_golden(golden, 1.25F, gradient, {2, 4, 7, 8, 9, 10, 11, 14},
                 {-0.75F, -0.5F, -0.125F, 0, 0.125F, 0.25F, 0.375F, 0.75F}, 3.56F);
  require_golden(golden, 0.5F, gradient, {-8, -1, 5, 9, 11, 13, 15, 22},
                 {-1, -1, -0.375F, 0.125F, 0.375F, 0.625F, 0.875F, 0.875F}, -5.25F);
}

TEST_CASE("golden G1: 3 and 2 bits") {
  const Golden three{3, {-1, -0.75F, -0.25F, 0, 0.25F, 0.375F, 0.5F, 0.75F}};
  REQUIRE(evaluate(three, 1).scale == 0.25F);
  REQUIRE(evaluate(three, 1).zero == 4.0F);
  require_golden(three, 0.75F, {1, -2, 3, -4, 5, -6, 7, -8}, {-1, 0, 3, 4, 5, 6, 7, 8},
                 {-1, -1, -0.25F, 0, 0.25F, 0.5F, 0.75F, 0.75F}, -52.0F / 9);
  const Golden two{2, {-0.5F, -0.25F, 0.125F, 0.25F}};
  REQUIRE(evaluate(two, 1).scale == 0.25F);
  REQUIRE(evaluate(two, 1).zero == 2.0F);
  require_golden(two, 1.25F, {1, -2, 3, -4}, {0, 1, 2, 3}, {-0.5F, -0.25F, 0, 0.25F}, 0.4F);
}

TEST_CASE("golden G2: learned clipping of the range") {
  const Floats weights{-0.8F, -0.55F, -0.3F, -0.1F, 0.05F, 0.2F, 0.45F, 1.1F};
  const Golden wide{4, weights, 4, 4}, narrow{4, weights, 2, 0.5F};
  // The golden numbers have nine decimals; scales and values are below 1.2, whose half-ulp is 6e-8.
  REQUIRE(std::abs(evaluate(wide, 1).scale - 0.124388413F) <= 1e-7F);
  REQUIRE(evaluate(wide, 1).zero == 6.0F);
  REQUIRE(evaluate(wide, 1).positions == Floats{0, 2, 4, 5, 6, 8, 10, 15});
  REQUIRE(evaluate(wide, 0.9F).positions == Floats{-1, 1, 3, 5, 6, 8, 10, 16});
  REQUIRE(evaluate(wide, 1.1F).positions == Floats{0, 2, 4, 5, 6, 7, 9, 14});
  require_close(
      evaluate(wide, 1).restored,
      {-0.74633048F, -0.49755365F, -0.24877683F, -0.12438841F, 0, 0.24877683F, 0.49755365F, 1.11949572F},
      1e-6F);
  REQUIRE(std::abs(evaluate(narrow, 1).scale - 0.097789617F) <= 1e-7F);
  REQUIRE(evaluate(narrow, 1).zero == 5.0F);
  REQUIRE(evaluate(narrow, 1).positions == Floats{-3, -1, 2, 4, 6, 7, 10, 16});
  REQUIRE(evaluate(narrow, 1.1F).positions == Floats{-2, 0, 2, 4, 5, 7, 9, 15});
  require_close(evaluate(narrow, 1).restored,
                {-0.48894808F, -0.48894808F, -0.29336885F, -0.09778962F, 0.09778962F, 0.19557923F,
                 0.48894808F, 0.97789617F},
                1e-6F);
}

TEST_CASE("golden G3: a group of one sign has its zero point outside the codes") {
  const Golden positive{4, {1, 1.25F, 1.5625F, 2, 2.3125F, 2.875F}};
  REQUIRE(evaluate(positive, 1).scale == 0.125F);
  REQUIRE(evaluate(positive, 1).zero == -8.0F);
  REQUIRE(evaluate(positive, 1).positions == Floats{0, 2, 4, 8, 10, 15});
  REQUIRE(evaluate(positive, 1).restored == Floats{1, 1.25F, 1.5F, 2, 2.25F, 2.875F});
  REQUIRE(evaluate(positive, 1.25F).positions == Floats{-2, 0, 2, 5, 7, 10});
  REQUIRE(evaluate(positive, 1.25F).restored == Floats{1, 1, 1.25F, 1.625F, 1.875F, 2.25F});
  const Golden negative{4, {-1, -1.25F, -1.5625F, -2, -2.3125F, -2.875F}};
  REQUIRE(evaluate(negative, 1).zero == 23.0F);
  REQUIRE(evaluate(negative, 1).positions == Floats{15, 13, 11, 7, 5, 0});
  REQUIRE(evaluate(negative, 1).restored == Floats{-1, -1.25F, -1.5F, -2, -2.25F, -2.875F});
}

TEST_CASE("golden G4: groups without a range") {
  const Result zeros = evaluate({4, Floats(8, 0.0F)}, 1);
  REQUIRE(zeros.scale == 1e-5F);
  REQUIRE(zeros.zero == 0.0F);
  REQUIRE(zeros.codes == std::vector<int>(8, 0));
  REQUIRE(zeros.restored == Floats(8, 0.0F));
  const Result constant = evaluate({4, Floats(8, 0.05F), 4, 4}, 1);
  REQUIRE(constant.scale == 1e-5F);
  REQUIRE(constant.zero == -4910.0F);
  REQUIRE(constant.positions == Floats(8, 90.0F));
  REQUIRE(constant.codes == std::vector<int>(8, 15));
  require_close(constant.restored, Floats(8, 0.04925F), 1e-7F);
}

TEST_CASE("golden G5: a linear layer forward and backward") {
  const std::vector<Golden> rows{{4, {-1, -0.5625F, 0.3125F, 0.875F}},
                                 {4, {0.75F, -0.375F, 0.1875F, -0.75F}}};
  const Floats gamma{0.75F, 1.25F}, scales{0.125F, 0.1F};
  const std::vector<std::vector<int>> codes{{0, 2, 11, 15}, {14, 5, 10, 2}};
  const at::Tensor X = at::tensor(Floats{1, -1, 2, 0.5F, 0, 1, -1, 2, 2, 0.5F, 1, -1}).view({3, 4});
  const at::Tensor dY = at::tensor(Floats{1, -2, 0.5F, 1, -1, 3}).view({3, 2});
  const at::Tensor dW = dY.t().matmul(X).contiguous();
  at::Tensor W = at::empty({2, 4}), dgamma = at::empty({2});
  for (int row = 0; row < 2; ++row) {
    const float* dW_row = dW.const_data_ptr<float>() + 4 * row;
    const Result result = evaluate(rows[row], gamma[row], Floats(dW_row, dW_row + 4));
    REQUIRE(result.scale == scales[row]);
    REQUIRE(result.zero == 8.0F);
    REQUIRE(result.codes == codes[row]);
    W[row].copy_(at::tensor(result.restored));
    dgamma[row] = result.gamma_gradient;
  }
  // 1e-5 is the golden table's own tolerance.
  const auto near = [](const at::Tensor& value, const Floats& expected) {
    return at::allclose(value.flatten(), at::tensor(expected), 0, 1e-5);
  };
  REQUIRE(near(W, {-1, -0.75F, 0.375F, 0.875F, 0.6F, -0.3F, 0.2F, -0.6F}));
  REQUIRE(near(X.matmul(W.t()), {0.9375F, 1, 0.625F, -1.7F, -2.875F, 1.85F}));
  REQUIRE(near(dW, {-1, -1, 0.5F, 2.5F, 4, 4.5F, -2, -2}));
  REQUIRE(near(dgamma, {-23.0F / 18, -39.0F / 25}));
  REQUIRE(near(dY.matmul(W), {-2.2F, -0.15F, -0.025F, 2.075F, 0.1F, -0.675F, 0.3875F, -0.1625F, 2.8F, -0.15F,
                              0.225F, -2.675F}));
}

TEST_CASE("golden G6: the weight is divided by the step, not multiplied by its reciprocal") {
  const float step = 0x1.ccccccp-11F, w = 0x1.68p-7F;
  REQUIRE(grid_position(w, step, 0) == 12.0F);
  const volatile float reciprocal = 1.0F / step;
  REQUIRE(std::rint(w * reciprocal) == 13.0F);
}
