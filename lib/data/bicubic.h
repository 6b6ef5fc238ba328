// Weights of Pillow's bicubic resampling of 8-bit pixels along one axis.
#pragma once
#include <cstdint>
#include <vector>

namespace qslaw {

/// One output pixel's source pixels along one axis: first, first + 1, ...
struct Taps {
  int first;
  std::vector<int32_t> weights;  // fixed point, kWeightBits (weigh_lines.h)
  int end() const { return first + static_cast<int>(weights.size()); }
};

/// The taps of output pixels `from` to `from` + `count` - 1 of an axis of `in` pixels resized to `out`.
std::vector<Taps> bicubic_axis(int in, int64_t out, int64_t from, int count);

}  // namespace qslaw
