#include "kernels/rotary.h"

#include "core/error.h"
#include "step_case.h"
#include "token_case.h"

using namespace qslaw;

namespace {

struct Table {
  at::Tensor cos, sin;
};

// Angles of any kind: [T, S], or [B, 1, T, S] for rows with positions of their own.
Table make_table(std::vector<int64_t> shape, at::ScalarType dtype) {
  shape.back() /= 2;
  const at::Tensor half = at::randn(shape) * 3.0, angles = at::cat({half, half}, -1);
  return {angles.cos().to(dtype), angles.sin().to(dtype)};
}

Operator fused(const Table& table, int64_t heads) {
  return [=](const Tensors& in) { return rotate_heads(in[0], heads, table.cos, table.sin); };
}

at::Tensor store(TokenCase& c) {
  return rotate_and_store(c.token, c.cos, c.sin, c.slots_B, c.keys_BGTS, c.values_BGTS);
}

Operator composed(const Table& table, int64_t heads) {
  return [=](const Tensors& in) { return rotate_heads_reference(in[0], heads, table.cos, table.sin); };
}

}  // namespace

TEST_CASE("rotation of heads has the bits of the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [B, T, H, S, per_row] =
      GENERATE(std::tuple{2, 5, 3, 8, false}, std::tuple{1, 1, 1, 2, false}, std::tuple{3, 1, 2, 64, true},
               std::tuple{2, 70, 4, 6, true}, std::tuple{0, 3, 2, 4, false});
  INFO("dtype " << dtype << ", " << B << " x " << T << " x " << H << " x " << S << ", per row " << per_row);
  at::manual_seed(1);
  const Table table = per_row ? make_table({B, 1, T, S}, dtype) : make_table({T, S}, dtype);
  const Tensors inputs = {at::randn({B, T, H * S}).to(dtype)};
  // As attention hands it back, and in another order of memory.
  const at::Tensor dY = GENERATE(false, true) ? at::randn({B, H, T, S}).to(dtype)
                                              : at::randn({B, T, H, S}).to(dtype).transpose(1, 2);
  const Outcome actual = run_operator(fused(table, H), inputs, dY);
  REQUIRE(actual.y.sizes() == at::IntArrayRef({B, H, T, S}));
  CHECK(actual.y.transpose(1, 2).is_contiguous());
  require_same_bits(actual, run_operator(composed(table, H), inputs, dY));
}

TEST_CASE("rotation of heads: central differences, the same bits every time") {
  at::manual_seed(2);
  const Table table = make_table({3, 4}, at::kFloat);
  require_central_differences(fused(table, 2), {at::randn({2, 3, 8})}, at::randn({2, 2, 3, 4}), 0x1p-4F,
                              1e-4);
  const Table large = make_table({130, 32}, at::kBFloat16);
  require_reproducible(fused(large, 4), {at::randn({2, 130, 128}).to(at::kBFloat16)},
                       at::randn({2, 4, 130, 32}).to(at::kBFloat16));
}

TEST_CASE("a new token is turned and stored with the bits of the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf, at::kDouble);
  const auto [B, H, G, T, S] = GENERATE(std::tuple{3, 4, 2, 6, 16}, std::tuple{1, 1, 1, 1, 2},
                                        std::tuple{5, 3, 3, 40, 6}, std::tuple{0, 2, 2, 4, 8});
  INFO("dtype " << dtype << ", B " << B << " H " << H << " G " << G << " T " << T << " S " << S);
  TokenCase c = token_case(B, H, G, T, S, dtype);
  const StoredToken expected = stored_by_operators(c);
  const at::Tensor q_BH1S = store(c);
  REQUIRE(q_BH1S.sizes() == at::IntArrayRef({B, H, 1, S}));
  CHECK(at::equal(q_BH1S, expected.q_BH1S));
  CHECK(at::equal(c.keys_BGTS, expected.keys_BGTS));
  CHECK(at::equal(c.values_BGTS, expected.values_BGTS));
}

TEST_CASE("a new token's projections may be views, its slot must be there") {
  TokenCase c = token_case(3, 4, 2, 5, 8, at::kBFloat16);
  const StoredToken expected = stored_by_operators(c);
  const TokenCase kept = c;  // its tensors are the same ones
  const at::Tensor joined = at::cat({c.token.q_B1N, c.token.k_B1M, c.token.v_B1M}, 2);
  c.token = {joined.narrow(2, 0, 32), joined.narrow(2, 32, 16), joined.narrow(2, 48, 16)};
  CHECK(at::equal(store(c), expected.q_BH1S));
  CHECK(at::equal(c.keys_BGTS, expected.keys_BGTS));
  CHECK(at::equal(c.values_BGTS, expected.values_BGTS));
  c.slots_B = at::tensor({0, 1, 5}, at::kLong);
  CHECK_THROWS_AS(store(c), InternalError);
  c.slots_B = at::tensor({0, 1, 2}, at::kLong);
  c.token.v_B1M = kept.token.v_B1M.narrow(2, 0, 8);  // of one head
  CHECK_THROWS_AS(store(c), InternalError);
  c.token = kept.token;
  c.cos = kept.cos.narrow(0, 0, 1);  // of one sequence
  CHECK_THROWS_AS(store(c), InternalError);
}
