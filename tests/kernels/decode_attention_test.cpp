#include "kernels/decode_attention.h"

#include "kernels/dense_product.h"
#include "step_case.h"

using namespace qslaw;

namespace {

struct DecodeCase {
  at::Tensor q_BH1S, keys_BGTS, values_BGTS, lengths_B;
};

// A cache with more room than is read, as during generation.
DecodeCase decode_case(int64_t B, int64_t H, int64_t G, int64_t T, int64_t S, at::ScalarType dtype) {
  at::manual_seed(B * 1000 + H * 100 + T + S);
  const auto cache = [&] { return at::randn({B, G, T + 5, S}).to(dtype).narrow(2, 0, T); };
  return {at::randn({B, H, 1, S}).to(dtype), cache(), cache(), at::randint(1, T + 1, {B}, at::kLong)};
}

at::Tensor attend(const DecodeCase& c) {
  return decode_attention(c.q_BH1S, c.keys_BGTS, c.values_BGTS, c.lengths_B);
}

// In float64, from the same inputs.
at::Tensor expected(const DecodeCase& c) {
  return decode_attention_reference(c.q_BH1S.to(at::kDouble), c.keys_BGTS.to(at::kDouble),
                                    c.values_BGTS.to(at::kDouble), c.lengths_B);
}

}  // namespace

TEST_CASE("attention of one new token agrees with LibTorch's in float64") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  struct Sizes {
    int64_t B, H, G, T, S;
  };
  const auto [B, H, G, T, S] = GENERATE(Sizes{1, 4, 4, 33, 64}, Sizes{3, 8, 2, 100, 20}, Sizes{2, 3, 1, 1, 7},
                                        Sizes{1, 2, 2, 700, 128}, Sizes{0, 2, 2, 4, 8});
  INFO("dtype " << dtype << ", B " << B << " H " << H << " G " << G << " T " << T << " S " << S);
  const DecodeCase c = decode_case(B, H, G, T, S, dtype);
  const at::Tensor actual = attend(c);
  CHECK(actual.scalar_type() == dtype);
  REQUIRE(actual.sizes() == c.q_BH1S.sizes());
  // The result's own rounding; float32: sums of up to 700 terms and exp's error of some last bits.
  CHECK(distance(actual, expected(c)) <= (dtype == at::kFloat ? 16.0 : 1.0) * last_bit(dtype));
}

TEST_CASE(
    "attention of one new token: slots behind a sequence's length do not count, the same bits every time") {
  DecodeCase c = decode_case(2, 4, 2, 40, 32, at::kBFloat16);
  c.lengths_B = at::tensor({7, 40}, at::kLong);
  const at::Tensor before = attend(c);
  c.keys_BGTS[0].narrow(1, 7, 33).fill_(std::nan(""));
  c.values_BGTS[0].narrow(1, 7, 33).fill_(std::nan(""));
  CHECK(at::equal(attend(c), before));
  at::set_num_threads(1);
  CHECK(at::equal(attend(c), before));
  at::set_num_threads(2);
  const DecodeCase alone{c.q_BH1S.narrow(0, 1, 1), c.keys_BGTS.narrow(0, 1, 1), c.values_BGTS.narrow(0, 1, 1),
                         c.lengths_B.narrow(0, 1, 1)};
  CHECK(at::equal(attend(alone), before.narrow(0, 1, 1)));
}

TEST_CASE("attention of one new token survives scores that overflow exp") {
  DecodeCase c = decode_case(1, 1, 1, 9, 16, at::kFloat);
  c.q_BH1S *= 1000.0;
  CHECK(distance(attend(c), expected(c)) <= 0x1p-12);  // scores of about 4000, their last bit is 2^-12 off
}

TEST_CASE("products of few tokens with dense weights") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto shape =
      GENERATE(std::vector<int64_t>{1, 64}, std::vector<int64_t>{1, 2, 1000}, std::vector<int64_t>{5, 17},
               std::vector<int64_t>{3}, std::vector<int64_t>{0, 16});
  INFO("dtype " << dtype << ", x " << shape);
  at::manual_seed(5);
  const at::Tensor x = at::randn(shape).to(dtype), weight = at::randn({300, shape.back()}).to(dtype);
  const at::Tensor y = few_token_product(x, weight),
                   exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
  REQUIRE(y.sizes() == exact.sizes());
  CHECK(y.scalar_type() == dtype);
  // The result's own rounding; float32: sums of up to 1000 terms.
  CHECK(distance(y, exact) <= (dtype == at::kFloat ? 16.0 : 1.0) * last_bit(dtype));
  CHECK(distance(dense_linear(x, weight), exact) <=
        2.0 * (dtype == at::kFloat ? 16.0 : 1.0) * last_bit(dtype));
  at::set_num_threads(1);
  CHECK(at::equal(few_token_product(x, weight), y));
  at::set_num_threads(2);
}

TEST_CASE("dense products keep their gradients") {
  const at::Tensor x = at::randn({1, 8}).to(at::kBFloat16).requires_grad_(true);
  const at::Tensor weight = at::randn({4, 8}).to(at::kBFloat16).requires_grad_(true);
  torch::autograd::backward({dense_linear(x, weight).sum()}, {});
  CHECK(x.grad().defined());
  CHECK(weight.grad().defined());
}
