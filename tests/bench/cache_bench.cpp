// What a decode step does with its cache of keys and values: attention over it, and storing a token there.
#include <ATen/ATen.h>

#include "bench/memory_rates.h"
#include "core/error.h"
#include "kernels/decode_attention.h"

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
  at::Tensor q_BH1S, key_BG1S, value_BG1S;  // of the new token
};

Cache make_cache(const Setting& setting, const LanguageConfig& shape, int64_t batch, int64_t slots) {
  const auto options = at::TensorOptions(setting.device).dtype(at::kBFloat16);
  const int64_t G = shape.kv_heads, S = shape.head_size;
  return {at::randn({batch, G, slots, S}, options), at::randn({batch, G, slots, S}, options),
          at::randn({batch, shape.heads, 1, S}, options), at::randn({batch, G, 1, S}, options),
          at::randn({batch, G, 1, S}, options)};
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
  // A megabyte at the most: its time is the launch's, so nothing is wanted of its rate.
  rates.measure("store_token", about, 2 * bytes / slots, [&](int64_t call) {
    Cache cache = in_turn(caches, call);
    store_token(cache.keys_BGTS, cache.values_BGTS, cache.key_BG1S, cache.value_BG1S, slots_B);
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
