#include "quant/group_lattice.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>

#include "kernels/quant_math.h"

namespace qslaw {
namespace {

// The product of scale and steps is rounded to float32 before it is rounded to 16 bits: bounds that miss each
// other by this share of themselves may belong together.
constexpr double kSlack = 0x1p-22;
// Bounds as near as this may hold a few float32 scales only, some of which fail: 8 to either side are tried.
constexpr double kNarrow = 0x1p-20;
constexpr int kScalesTried = 8;

float round_to(float value, Rounding rounding) {
  if (rounding == Rounding::float16) return c10::Half(value);
  if (rounding == Rounding::float16_then_bfloat16) value = c10::Half(value);
  return c10::BFloat16(value);
}

// Steps beyond which neighbors of the 16-bit type are a step or more apart: then the type's own spacing is a
// grid as well, and no coarser one is missed.
int most_steps(Rounding rounding) {
  return rounding == Rounding::float16 ? 1 << 12 : 1 << 9;
}

double magnitude_of(uint16_t bits, Rounding rounding) {
  if (rounding == Rounding::float16) return c10::Half(bits, c10::Half::from_bits());
  return c10::BFloat16(bits, c10::BFloat16::from_bits());
}

// Rounded to float16 first, an end that lies between two bfloat16 numbers moves by half of float16's spacing
// there, which is an eighth of bfloat16's (2^-24 for the smallest).
double float16_shift(double half_spacing) {
  return std::max(half_spacing / 8, 0x1p-25);
}

// Every way to write a group's weights as scale * steps, the steps being whole numbers whose range is at most
// 2^bits - 1: the steps of the largest weight are tried one after the other, which leaves the others little
// choice.
class Search {
 public:
  Search(std::span<const RoundedWeight> weights, int bits, Rounding rounding)
      : weights_(weights), top_((1 << bits) - 1), rounding_(rounding) {}

  std::optional<GroupLattice> run() {
    const size_t first = weights_.front().value == 0.0F ? 1 : 0;
    const RoundedWeight& largest = weights_.back();
    const int most = most_steps_of_largest(first);
    for (int steps = 1; steps <= most && solutions_ < 2; ++steps) {
      const int signed_steps = largest.value < 0.0F ? -steps : steps;
      const Range range = first == 1 ? Range{0, 0}.with(signed_steps) : Range{signed_steps, signed_steps};
      if (range.width() <= top_) extend(first, largest.low / steps, largest.high / steps, range);
    }
    found_.only = solutions_ == 1;
    return solutions_ > 0 ? std::optional(found_) : std::nullopt;
  }

 private:
  struct Range {
    int least, most;
    Range with(int steps) const { return {std::min(least, steps), std::max(most, steps)}; }
    int width() const { return most - least; }
  };

  // A group with a weight of 0 has as many steps as its grid at most; one of both signs leaves the other sign
  // a step at least. A group beside 0 may have many more; its scale is at least a part of its range.
  int most_steps_of_largest(size_t first) const {
    if (has_both_signs()) return top_ - 1;
    if (first == 1) return top_;
    const RoundedWeight &smallest = weights_.front(), &largest = weights_.back();
    const double range = largest.low - smallest.high;
    const double limit = most_steps(rounding_);
    return static_cast<int>(range > 0.0 ? std::min(limit, largest.high * top_ / range + 1.0) : limit);
  }

  bool has_both_signs() const {
    const auto below = [](const RoundedWeight& weight) { return weight.value < 0.0F; };
    const auto above = [](const RoundedWeight& weight) { return weight.value > 0.0F; };
    return std::any_of(weights_.begin(), weights_.end(), below) &&
           std::any_of(weights_.begin(), weights_.end(), above);
  }

  // low..high: scales that fit the weights before `index` and the largest; range: of their steps.
  void extend(size_t index, double low, double high, Range range) {
    if (index + 1 >= weights_.size()) return accept(low, high, range);
    const RoundedWeight& weight = weights_[index];
    const int begin = std::max(1, static_cast<int>(std::ceil(weight.low / high * (1.0 - kSlack))));
    const int end = static_cast<int>(weight.high / low * (1.0 + kSlack));
    for (int steps = begin; steps <= end && solutions_ < 2; ++steps) {
      const double lower = std::max(low, weight.low / steps), upper = std::min(high, weight.high / steps);
      const Range wider = range.with(weight.value < 0.0F ? -steps : steps);
      if (lower <= upper * (1.0 + kSlack) && wider.width() <= top_) extend(index + 1, lower, upper, wider);
    }
  }

  void accept(double low, double high, Range range) {
    const int zero = std::clamp(0, -range.least, top_ - range.most);
    const int tried = high - low < high * kNarrow ? kScalesTried : 0;
    const auto middle = static_cast<float>((low + high) / 2);
    float up = middle, down = middle;
    for (int i = 0; i <= tried; ++i) {
      for (const float scale : {up, down}) {
        if (!reproduces(scale, static_cast<float>(zero))) continue;
        if (solutions_ == 0) found_ = {scale, static_cast<int16_t>(zero), false};
        solutions_ += 1 + top_ - range.width();  // as many zeros serve
        return;
      }
      up = std::nextafter(up, HUGE_VALF);
      down = std::nextafter(down, 0.0F);
    }
  }

  bool reproduces(float scale, float zero) const {
    const auto top = static_cast<float>(top_);
    return std::all_of(weights_.begin(), weights_.end(), [&](const RoundedWeight& weight) {
      const float code = clamp_code(grid_position(weight.value, scale, zero), top);
      return round_to(code_value(code, scale, zero), rounding_) == weight.value;
    });
  }

  std::span<const RoundedWeight> weights_;
  int top_;
  Rounding rounding_;
  int solutions_ = 0;
  GroupLattice found_;
};

}  // namespace

std::optional<RoundedWeight> rounded_weight(float value, Rounding rounding) {
  if (value == 0.0F) return RoundedWeight{};
  if (round_to(value, rounding) != value) return std::nullopt;
  const float magnitude = std::fabs(value);
  const uint16_t bits = rounding == Rounding::float16 ? c10::Half(magnitude).x : c10::BFloat16(magnitude).x;
  double below = (magnitude - magnitude_of(bits - 1, rounding)) / 2;
  double above = (magnitude_of(bits + 1, rounding) - magnitude) / 2;
  if (rounding == Rounding::float16_then_bfloat16) {
    const double sign = bits % 2 == 0 ? 1.0 : -1.0;  // ties go to the even one
    below += sign * float16_shift(below);
    above += sign * float16_shift(above);
  }
  return RoundedWeight{value, magnitude - below, magnitude + above};
}

std::optional<GroupLattice> find_lattice(std::span<const RoundedWeight> weights, int bits,
                                         Rounding rounding) {
  if (weights.back().value == 0.0F) return GroupLattice{kMinScale, 0, false};  // as the quantizer's formula
  return Search(weights, bits, rounding).run();
}

}  // namespace qslaw
