// The device code of attention over the cache, run on the CPU and compared with LibTorch's in float64.
#include "device_launch.h"
#include "kernels/decode_attention.h"
#include "quant_case.h"
#include "step_case.h"

#include "../../cuda/decode_attention.cuh"

using namespace qslaw;

namespace {

struct AttentionCase {
  at::Tensor q_BH1S, keys_BGTS, values_BGTS, lengths_B;
};

struct Sizes {
  int64_t B, H, G, T, S;
};

// A cache of which the device sees T slots, and which has more. What is behind a sequence's length is not a
// number, so that it shows when it is looked at.
AttentionCase attention_case(const Sizes& n, at::ScalarType dtype) {
  at::manual_seed(n.B * 1000 + n.H * 100 + n.T + n.S);
  AttentionCase c{at::randn({n.B, n.H, 1, n.S}).to(dtype), at::randn({n.B, n.G, n.T + 3, n.S}).to(dtype),
                  at::randn({n.B, n.G, n.T + 3, n.S}).to(dtype), at::randint(1, n.T + 1, {n.B}, at::kLong)};
  c.lengths_B[0] = n.T;
  if (n.B > 1) c.lengths_B[1] = 1;
  for (int64_t b = 0; b < n.B; ++b) {
    const int64_t length = c.lengths_B[b].item<int64_t>();
    for (const at::Tensor& cache : {c.keys_BGTS, c.values_BGTS})
      cache[b].narrow(1, length, n.T + 3 - length).fill_(std::nan(""));
  }
  c.keys_BGTS = c.keys_BGTS.narrow(2, 0, n.T), c.values_BGTS = c.values_BGTS.narrow(2, 0, n.T);
  return c;
}

at::Tensor device_attention(const AttentionCase& c, int64_t splits) {
  const int64_t B = c.q_BH1S.size(0), H = c.q_BH1S.size(1), S = c.q_BH1S.size(3);
  at::Tensor out = at::full_like(c.q_BH1S, 7);
  at::Tensor parts = at::full({splits > 1 ? B * H * splits * (S + 2) : 0}, std::nanf(""));
  const CudaAttention shape{B,
                            H,
                            c.keys_BGTS.size(1),
                            c.keys_BGTS.size(2),
                            S,
                            c.keys_BGTS.stride(0),
                            c.keys_BGTS.stride(1),
                            splits,
                            1.0F / std::sqrt(static_cast<float>(S))};
  REQUIRE(device::decode_attention(device_input(c.q_BH1S), device_input(c.keys_BGTS),
                                   device_input(c.values_BGTS), c.lengths_B.const_data_ptr<int64_t>(), shape,
                                   parts.data_ptr<float>(), device_output(out), nullptr) == nullptr);
  return out;
}

// One sequence after the other, of its own slots alone.
at::Tensor exact_attention(const AttentionCase& c) {
  at::Tensor out = at::empty(c.q_BH1S.sizes(), at::kDouble);
  for (int64_t b = 0; b < out.size(0); ++b) {
    const int64_t length = c.lengths_B[b].item<int64_t>();
    const auto own = [&](const at::Tensor& cache) {
      return cache.narrow(0, b, 1).narrow(2, 0, length).to(at::kDouble);
    };
    out.narrow(0, b, 1).copy_(decode_attention_reference(c.q_BH1S.narrow(0, b, 1).to(at::kDouble),
                                                         own(c.keys_BGTS), own(c.values_BGTS),
                                                         c.lengths_B.narrow(0, b, 1)));
  }
  return out;
}

}  // namespace

TEST_CASE("device attention of one new token agrees with LibTorch's in float64") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  // Heads of all three widths of a set, and of widths that leave lanes idle; 1, 2, 3, 5 and 8 query heads for
  // one of keys and values.
  const Sizes n = GENERATE(Sizes{1, 2, 2, 130, 128}, Sizes{2, 8, 1, 70, 64}, Sizes{3, 6, 2, 33, 8},
                           Sizes{1, 5, 1, 1, 256}, Sizes{2, 4, 2, 50, 72}, Sizes{1, 1, 1, 40, 136});
  const int64_t splits = GENERATE(1, 3, 7);  // seven of one slot: six are empty
  INFO("dtype " << dtype << ", B " << n.B << " H " << n.H << " G " << n.G << " T " << n.T << " S " << n.S
                << ", splits " << splits);
  const AttentionCase c = attention_case(n, dtype);
  const at::Tensor actual = device_attention(c, splits);
  // The result's own rounding; float32: sums of up to 256 terms and exp's error of 2 last bits, made larger
  // by a few joins.
  CHECK(distance(actual, exact_attention(c)) <= (dtype == at::kFloat ? 8.0 : 1.0) * last_bit(dtype));
  CHECK(equal_bits(device_attention(c, splits), actual));
}

TEST_CASE("device attention of a sequence does not depend on those beside it") {
  const AttentionCase c = attention_case({3, 4, 2, 60, 32}, at::kBFloat16);
  const at::Tensor together = device_attention(c, 3);
  for (int64_t b = 0; b < 3; ++b) {
    const AttentionCase alone{c.q_BH1S.narrow(0, b, 1), c.keys_BGTS.narrow(0, b, 1),
                              c.values_BGTS.narrow(0, b, 1), c.lengths_B.narrow(0, b, 1)};
    CHECK(equal_bits(device_attention(alone, 3), together.narrow(0, b, 1)));
  }
}

TEST_CASE("device attention survives scores that overflow exp, and shows what is no number") {
  AttentionCase c = attention_case({1, 1, 1, 40, 16}, at::kFloat);
  c.q_BH1S *= 1000.0;
  // Scores of up to some 4000, their last bit is 2^-12 off, and e to that.
  CHECK(distance(device_attention(c, 2), exact_attention(c)) <= 0x1p-10);
  c.keys_BGTS[0][0][3].fill_(std::nan(""));
  CHECK(device_attention(c, 2).isnan().all().item<bool>());
}

TEST_CASE("device attention refuses heads that it has no kernel for") {
  for (const int64_t S : {int64_t{12}, int64_t{264}}) {
    CudaAttention shape{};
    shape.head_size = S;
    CHECK(device::decode_attention({}, {}, {}, nullptr, shape, nullptr, {}, nullptr) != nullptr);
  }
}
