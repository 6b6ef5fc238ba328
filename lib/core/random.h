// Seeded randomness that is the same on every machine: a counter-based generator with no hidden state, so
// that any position of any stream can be reached at once (resume) and threads need no order.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace qslaw {

/// Mixes the parts into one well-distributed 64-bit seed (SplitMix64's finalizer, chained).
uint64_t mix_seed(uint64_t seed, uint64_t a, uint64_t b = 0, uint64_t c = 0);

/// FNV-1a, 64 bits: a name as a seed.
uint64_t hash_text(std::string_view text);

/// SplitMix64 (Steele, Lea, Flood 2014): a 64-bit counter run through a finalizer.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, n), without modulo bias. REQUIRES: n > 0.
  uint64_t below(uint64_t n);

 private:
  uint64_t state_;
};

/// The numbers 0..n-1 in a seeded random order (Fisher-Yates).
std::vector<int64_t> permutation(int64_t n, uint64_t seed);

}  // namespace qslaw
