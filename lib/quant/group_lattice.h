// The grid behind the values of one group whose codes were multiplied out and rounded to 16 bits.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

namespace qslaw {

/// How scale * (code - zero) became a weight.
enum class Rounding { bfloat16, float16, float16_then_bfloat16 };

/// A weight of the group and the numbers that are rounded to it.
struct RoundedWeight {
  float value = 0.0F;
  double low = 0.0, high = 0.0;  // of the magnitude
};

/// REQUIRES: finite. Nothing when no rounding of that kind gives `value`.
std::optional<RoundedWeight> rounded_weight(float value, Rounding rounding);

struct GroupLattice {
  float scale = 0.0F;
  int16_t zero = 0;
  bool only = false;  // no other grid gives these weights
};

/// A grid of 2^bits values that gives every weight: quantized by it (quant_math.h), dequantized and rounded
/// as `rounding` says, each is what it was, bit for bit. (Dequantizing to bfloat16 rounds once: of weights
/// that went through float16 some become the number beside.) Of several the one of the largest scale, and of
/// several zeros the one nearest to 0. Nothing when there is none. `weights`: the group's different values (0
/// once, without a sign) by rising magnitude, all made with `rounding`; bits: 2 to 4.
std::optional<GroupLattice> find_lattice(std::span<const RoundedWeight> weights, int bits, Rounding rounding);

}  // namespace qslaw
