// A new token of each sequence, to be turned and stored, and what LibTorch's operators make of it.
#pragma once
#include <ATen/ATen.h>

#include "kernels/rotary.h"

namespace qslaw {

struct TokenCase {
  NewToken token;
  at::Tensor cos, sin, slots_B, keys_BGTS, values_BGTS;
};

/// A cache of random values, in which slots are left alone shows; any slots, any angles.
inline TokenCase token_case(int64_t B, int64_t H, int64_t G, int64_t T, int64_t S, at::ScalarType dtype) {
  at::manual_seed(static_cast<uint64_t>(B * 1000 + H * 100 + T + S));
  const at::Tensor half = at::randn({B, 1, 1, S / 2}) * 3.0, angles = at::cat({half, half}, -1);
  const auto random = [&](at::IntArrayRef shape) { return at::randn(shape).to(dtype); };
  return {{random({B, 1, H * S}), random({B, 1, G * S}), random({B, 1, G * S})},
          angles.cos().to(dtype),
          angles.sin().to(dtype),
          at::randint(0, T, {B}, at::kLong),
          random({B, G, T, S}),
          random({B, G, T, S})};
}

struct StoredToken {
  at::Tensor q_BH1S, keys_BGTS, values_BGTS;
};

/// By rotate_heads_reference and scatter.
inline StoredToken stored_by_operators(const TokenCase& c) {
  const int64_t B = c.keys_BGTS.size(0), G = c.keys_BGTS.size(1), S = c.keys_BGTS.size(3);
  const auto turned = [&](const at::Tensor& x) {
    return rotate_heads_reference(x, x.size(2) / S, c.cos, c.sin);
  };
  const at::Tensor index = c.slots_B.view({B, 1, 1, 1}).expand({B, G, 1, S});
  return {turned(c.token.q_B1N), c.keys_BGTS.scatter(2, index, turned(c.token.k_B1M)),
          c.values_BGTS.scatter(2, index, c.token.v_B1M.reshape({B, G, 1, S}))};
}

}  // namespace qslaw
