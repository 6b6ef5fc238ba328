// What a decode step does with its cache of keys and values: attention over it, and a new token on its way
// there.
#include <ATen/ATen.h>

#include "bench/memory_rates.h"
#include "core/error.h"
#include "kernels/decode_attention.h"
#include "kernels/rotary.h"

namespace qslaw::bench {
namespace {

struct Sizes {
  std::vector<int64_t> batches, slots;
};

Sizes sizes_of(const Setting& setting) {
  if (setting.small) return {{1, 3}, {16, 32}};
  return {{1, 8, 32}, {512, 2048}};
}

struct Cache {
  at::Tensor keys_BGTS, values_BGTS;
  at::Tensor q_BH1S;  // turned
  NewToken token;
};

Cache make_cache(const Setting& setting, const LanguageConfig& shape, int64_t batch, int64_t slots) {
  const auto options = at::TensorOptions(setting.device).dtype(at::kBFloat16);
  const int64_t H = shape.heads, G = shape.kv_heads, S = shape.head_size;
  return {at::randn({batch, G, slots, S}, options),
          at::randn({batch, G, slots, S}, options),
          at::randn({batch, H, 1, S}, options),
          {at::randn({batch, 1, H * S}, options), at::randn({batch, 1, G * S}, options),
           at::randn({batch, 1, G * S}, options)}};
}

void add_batch(const Setting& setting, const LanguageConfig& shape, int64_t batch, int64_t slots,
               MemoryRates& rates) {
  const int64_t bytes = 2 * 2 * batch * shape.kv_heads * slots * shape.head_size;  // keys and values
  const auto caches = make_copies(setting, bytes, [&] { return make_cache(setting, shape, batch, slots); });
  const auto options = at::TensorOptions(setting.device).dtype(at::kLong);
  const at::Tensor lengths_B = at::full({batch}, slots, options), slots_B = lengths_B - 1;
  const nlohmann::json about = {{"batch", batch}, {"slots", slots}};
  // A target for each batch: the smallest cache is read in a few microseconds, of which launches take most.
  rates.add(concat("decode_attention_batch_", batch), about, bytes, [&](int64_t call) {
    const Cache& cache = in_turn(caches, call);
    decode_attention(cache.q_BH1S, cache.keys_BGTS, cache.values_BGTS, lengths_B);
  });
  // Read and written once each, but for angles: megabytes at the most, so nothing is wanted of its rate.
  const int64_t token_bytes = 2 * 2 * batch * (shape.heads + 2 * shape.kv_heads) * shape.head_size;
  const at::Tensor angles = at::rand({batch, 1, 1, shape.head_size}, options.dtype(at::kFloat));
  const at::Tensor cos = angles.cos().to(at::kBFloat16), sin = angles.sin().to(at::kBFloat16);
  rates.measure("rotate_and_store", about, token_bytes, [&](int64_t call) {
    Cache cache = in_turn(caches, call);
    rotate_and_store(cache.token, cos, sin, slots_B, cache.keys_BGTS, cache.values_BGTS);
  });
}

}  // namespace

void add_cache_operators(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const Sizes sizes = sizes_of(setting);
  for (const int64_t batch : sizes.batches) {
    for (const int64_t slots : sizes.slots)
      add_batch(setting, shape, batch, slots, rates);
  }
}

}  // namespace qslaw::bench
