#include "model/kv_cache.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace qslaw {

KvCache::KvCache(const LanguageConfig& config, int64_t batch, int64_t capacity, at::TensorOptions options)
    : capacity_(capacity) {
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    keys_.push_back(at::zeros({batch, config.kv_heads, capacity, config.head_size}, options));
    values_.push_back(at::zeros({batch, config.kv_heads, capacity, config.head_size}, options));
  }
}

void KvCache::store_prompt(int64_t layer, const at::Tensor& keys_BHTS, const at::Tensor& values_BHTS) {
  const size_t l = static_cast<size_t>(layer);
  keys_[l].narrow(2, 0, keys_BHTS.size(2)).copy_(keys_BHTS);
  values_[l].narrow(2, 0, values_BHTS.size(2)).copy_(values_BHTS);
}

at::Tensor KvCache::append(int64_t layer, const NewToken& token, const RopeTable& rope) {
  const size_t l = static_cast<size_t>(layer);
  return rotate_and_store(token, rope.cos, rope.sin, lengths_B_, keys_[l], values_[l]);
}

void KvCache::set_lengths(const at::Tensor& lengths_B) {
  lengths_B_ = lengths_B.clone();
  lengths_with_new_token_B_ = lengths_B_ + 1;
  longest_ = lengths_B.max().item<int64_t>();
}

void KvCache::claim_slots() {
  QSLAW_CHECK(longest_ < capacity_);
  ++longest_;
}

void KvCache::advance() {
  lengths_B_.add_(1);
  lengths_with_new_token_B_.add_(1);
}

}  // namespace qslaw
