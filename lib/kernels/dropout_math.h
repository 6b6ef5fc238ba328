// Which entries dropout keeps: a function of seed and position, so that the backward pass, a resumed run and
// other devices draw the same mask without keeping it.
#pragma once
#include <cstdint>

#include "kernels/quant_math.h"

namespace qslaw {

/// Every bit of the result depends on every bit of h (C. Wellons' "lowbias32" finalizer).
QSLAW_HOST_DEVICE uint32_t mix_bits(uint32_t h) {
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  h *= 0x846ca68bU;
  return h ^ (h >> 16);
}

/// 32 bits for one entry. Both halves of the seed go in with a finalizer behind each: with one, the masks of
/// two seeds would be rearrangements of each other.
QSLAW_HOST_DEVICE uint32_t dropout_bits(uint32_t index, uint32_t low_seed, uint32_t high_seed) {
  return mix_bits(mix_bits(index ^ low_seed) ^ high_seed);
}

/// Entries whose bits are below it are dropped.
QSLAW_HOST_DEVICE uint32_t dropout_threshold(double rate) {
  return static_cast<uint32_t>(rate * 4294967296.0);
}

struct Dropout {
  uint32_t low_seed, high_seed;
  uint32_t threshold;
  float factor;  // of what is kept
};

/// Entry `index`, whose value is x.
QSLAW_HOST_DEVICE float dropped(float x, uint32_t index, const Dropout& d) {
  return dropout_bits(index, d.low_seed, d.high_seed) < d.threshold ? 0.0F : x * d.factor;
}

}  // namespace qslaw
