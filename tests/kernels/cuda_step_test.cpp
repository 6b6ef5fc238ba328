// The device code of a training step's operators without sums over rows, run on the CPU and compared with the
// CPU functions: bit for bit where both use one arithmetic and nothing is contracted.
#include "device_launch.h"
#include "kernels/dropout.h"
#include "kernels/rotary.h"
#include "kernels/swiglu.h"
#include "quant_case.h"
#include "step_case.h"
#include "token_case.h"

#include "../../cuda/dropout.cuh"
#include "../../cuda/rotary.cuh"
#include "../../cuda/swiglu.cuh"

using namespace qslaw;

namespace {

// Widths that vectors fit and do not, one value, nothing.
const std::vector<std::vector<int64_t>> kShapes = {{7, 64}, {5, 33}, {1, 1}, {300, 8}, {0, 16}};

CudaNewToken shape_of(const TokenCase& c) {
  const at::IntArrayRef cache = c.keys_BGTS.sizes();
  return {cache[0], c.token.q_B1N.size(2) / cache[3], cache[1], cache[2], cache[3] / 2};
}

// Stores into the case's cache; the queries.
at::Tensor device_store(TokenCase& c) {
  at::Tensor rotated = at::full_like(c.token.q_B1N, 7);
  REQUIRE(device::rotate_and_store(device_input(c.token.q_B1N), device_input(c.token.k_B1M),
                                   device_input(c.token.v_B1M), device_input(c.cos), device_input(c.sin),
                                   c.slots_B.const_data_ptr<int64_t>(), shape_of(c), device_output(rotated),
                                   device_output(c.keys_BGTS), device_output(c.values_BGTS),
                                   nullptr) == nullptr);
  return rotated;
}

Dropout dropout_of(double rate, uint64_t seed, at::ScalarType dtype) {
  const at::Tensor factor = at::scalar_tensor(1.0 / (1.0 - rate), at::TensorOptions().dtype(dtype));
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), dropout_threshold(rate),
          factor.item<float>()};
}

}  // namespace

TEST_CASE("device SwiGLU and its gradients agree with the CPU's") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  for (const auto& shape : kShapes) {
    INFO("dtype " << dtype << ", shape " << at::IntArrayRef(shape));
    at::manual_seed(1);
    const at::Tensor gate = (at::randn(shape) * 4.0).to(dtype), up = at::randn(shape).to(dtype),
                     dY = at::randn(shape).to(dtype);
    const Operator fused = [](const Tensors& in) { return swiglu(in[0], in[1]); };
    const Outcome expected = run_operator(fused, {gate, up}, dY);
    for (int run = 0; run < 2; ++run) {
      at::Tensor y = at::full_like(gate, 7), dGate = at::full_like(gate, 7), dUp = at::full_like(gate, 7);
      REQUIRE(device::swiglu(device_input(gate), device_input(up), gate.numel(), device_output(y), nullptr) ==
              nullptr);
      REQUIRE(device::swiglu_gradient(device_input(gate), device_input(up), device_input(dY), gate.numel(),
                                      device_output(dGate), device_output(dUp), nullptr) == nullptr);
      // The CPU's multiply-adds are fused: some float32 roundings, of which one may carry a narrow value
      // over.
      require_close({y, {dGate, dUp}}, expected, dtype == at::kFloat ? 4.0 : 1.0);
    }
  }
}

TEST_CASE("device rotation of heads has the CPU's bits") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto [B, T, H, S, per_row] =
      GENERATE(std::tuple{2, 5, 3, 16, false}, std::tuple{1, 1, 1, 2, false}, std::tuple{3, 1, 2, 64, true},
               std::tuple{2, 70, 4, 6, true}, std::tuple{0, 3, 2, 4, false});
  INFO("dtype " << dtype << ", " << B << " x " << T << " x " << H << " x " << S << ", per row " << per_row);
  at::manual_seed(1);
  const at::Tensor half =
      at::randn(per_row ? std::vector<int64_t>{B, 1, T, S / 2} : std::vector<int64_t>{T, S / 2});
  const at::Tensor angles = at::cat({half, half}, -1), cos = angles.cos().to(dtype),
                   sin = angles.sin().to(dtype);
  const at::Tensor x = at::randn({B, T, H * S}).to(dtype);
  const at::Tensor dY = at::randn({B, T, H, S}).to(dtype);
  const Operator fused = [&, heads = H](const Tensors& in) { return rotate_heads(in[0], heads, cos, sin); };
  const Outcome expected = run_operator(fused, {x}, dY.transpose(1, 2));
  const auto turn = [&](const at::Tensor& from, float direction) {
    at::Tensor out = at::full_like(from, 7);
    REQUIRE(device::rotate_heads(device_input(from), device_input(cos), device_input(sin),
                                 {B * T, H, S / 2, per_row ? B * T : T, direction}, device_output(out),
                                 nullptr) == nullptr);
    return out;
  };
  REQUIRE(equal_bits(turn(x, 1.0F).view({B, T, H, S}), expected.y.transpose(1, 2)));
  REQUIRE(equal_bits(turn(dY, -1.0F).view({B, T, H * S}), expected.gradients[0]));
}

TEST_CASE("device code turns and stores a new token with the bits of the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  // Vectors of pairs and single ones; grouped heads; several blocks of threads; nothing.
  const auto [B, H, G, T, S] =
      GENERATE(std::tuple{3, 4, 2, 6, 16}, std::tuple{1, 1, 1, 1, 2}, std::tuple{5, 7, 7, 3, 80},
               std::tuple{2, 8, 1, 9, 36}, std::tuple{0, 2, 2, 4, 8});
  INFO("dtype " << dtype << ", B " << B << " H " << H << " G " << G << " T " << T << " S " << S);
  TokenCase c = token_case(B, H, G, T, S, dtype);
  const StoredToken expected = stored_by_operators(c);
  REQUIRE(equal_bits(device_store(c).view({B, H, 1, S}), expected.q_BH1S));
  REQUIRE(equal_bits(c.keys_BGTS, expected.keys_BGTS));
  REQUIRE(equal_bits(c.values_BGTS, expected.values_BGTS));
}

TEST_CASE("device code passes over slots that the cache does not have") {
  TokenCase c = token_case(3, 4, 2, 6, 16, at::kBFloat16);
  const StoredToken expected = stored_by_operators(c);
  const at::Tensor keys = c.keys_BGTS.clone(), values = c.values_BGTS.clone();
  c.slots_B = at::tensor({6, -1, 60}, at::kLong);
  REQUIRE(equal_bits(device_store(c).view({3, 4, 1, 16}), expected.q_BH1S));
  REQUIRE(equal_bits(c.keys_BGTS, keys));
  REQUIRE(equal_bits(c.values_BGTS, values));
}

TEST_CASE("device dropout has the CPU's bits") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const uint64_t seed = 0x123456789abcdef0ULL;
  for (const auto& shape : kShapes) {
    for (const double rate : {0.0, 0.1, 0.6}) {
      INFO("dtype " << dtype << ", shape " << at::IntArrayRef(shape) << ", rate " << rate);
      at::manual_seed(1);
      const at::Tensor x = at::randn(shape).to(dtype);
      at::Tensor y = at::full_like(x, 7), sum = at::randn(shape).to(dtype), expected_sum = sum.clone();
      const Dropout options = dropout_of(rate, seed, dtype);
      REQUIRE(device::dropout(device_input(x), x.numel(), options, device_output(y), nullptr) == nullptr);
      REQUIRE(equal_bits(y, dropout(x, rate, seed)));
      REQUIRE(device::add_dropout(device_input(x), x.numel(), options, device_output(sum), nullptr) ==
              nullptr);
      add_dropout(expected_sum, x, rate, seed);
      REQUIRE(equal_bits(sum, expected_sum));
    }
  }
}

TEST_CASE("device code finds its place by 32-bit and by 64-bit divisions") {
  const auto index_bytes = [](int64_t n) {
    size_t bytes = 0;
    device::with_index(n, [&](auto index) {
      bytes = sizeof index;
      return static_cast<const char*>(nullptr);
    });
    return bytes;
  };
  constexpr int64_t kLargest = (int64_t{1} << 32) - 1;
  REQUIRE(index_bytes(kLargest) == 4);
  REQUIRE(index_bytes(kLargest + 1) == 8);
  for (const int64_t columns : {int64_t{1}, int64_t{7}, int64_t{4096}, kLargest}) {
    const device::Place<uint32_t> narrow(kLargest, columns);
    REQUIRE(narrow.row * columns + narrow.column == kLargest);
    REQUIRE((narrow.column >= 0 && narrow.column < columns));
    const device::Place<int64_t> wide(3 * kLargest + 2, columns);
    REQUIRE(wide.row * columns + wide.column == 3 * kLargest + 2);
    REQUIRE((wide.column >= 0 && wide.column < columns));
  }
  // A kernel's rarer instance.
  const at::Tensor x = at::randn({6, 4, 10}), angles = at::randn({3, 5}).repeat({1, 2});
  const at::Tensor cos = angles.cos(), sin = angles.sin();
  at::Tensor expected = at::full_like(x, 7), actual = at::full_like(x, 7);
  const CudaRotation shape{6, 4, 5, 3, 1.0F};
  REQUIRE(device::rotate_heads(device_input(x), device_input(cos), device_input(sin), shape,
                               device_output(expected), nullptr) == nullptr);
  REQUIRE(device::launch(device::rotate_kernel<float, 1, int64_t>, 1, device::kThreads, nullptr,
                         x.const_data_ptr<float>(), cos.const_data_ptr<float>(), sin.const_data_ptr<float>(),
                         shape, actual.data_ptr<float>()) == nullptr);
  REQUIRE(equal_bits(actual, expected));
  TokenCase c = token_case(2, 3, 1, 4, 10, at::kFloat);
  const StoredToken stored = stored_by_operators(c);
  at::Tensor rotated = at::full_like(c.token.q_B1N, 7);
  const device::TokenJob<float> job{c.token.q_B1N.const_data_ptr<float>(),
                                    c.token.k_B1M.const_data_ptr<float>(),
                                    c.token.v_B1M.const_data_ptr<float>(),
                                    c.cos.const_data_ptr<float>(),
                                    c.sin.const_data_ptr<float>(),
                                    c.slots_B.const_data_ptr<int64_t>(),
                                    shape_of(c),
                                    rotated.data_ptr<float>(),
                                    c.keys_BGTS.data_ptr<float>(),
                                    c.values_BGTS.data_ptr<float>()};
  REQUIRE(device::launch(device::rotate_and_store_kernel<float, 1, int64_t>, 1, device::kThreads, nullptr,
                         job) == nullptr);
  REQUIRE(equal_bits(rotated.view({2, 3, 1, 10}), stored.q_BH1S));
  REQUIRE(equal_bits(c.keys_BGTS, stored.keys_BGTS));
  REQUIRE(equal_bits(c.values_BGTS, stored.values_BGTS));
}

TEST_CASE("device code takes views that vectors do not fit") {
  constexpr uint64_t kSeed = 3;
  const at::Tensor x = at::randn({65}).to(at::kBFloat16);
  const at::Tensor view = x.narrow(0, 1, 64);
  at::Tensor y = at::empty_like(view);
  REQUIRE(device::dropout(device_input(view), 64, dropout_of(0.5, kSeed, at::kBFloat16), device_output(y),
                          nullptr) == nullptr);
  REQUIRE(equal_bits(y, dropout(view, 0.5, kSeed)));
}
