// The inner loop of resampling: lines of bytes weighed into one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace qslaw {

inline constexpr int kWeightBits = 22;       // of the fixed-point weights
inline constexpr size_t kLineMultiple = 32;  // bytes: what the length of a line has to be a multiple of

/// out[i] = the sum over k < `count` of weights[k] * lines[k * stride + i], rounded and clamped to a byte,
/// for i < `bytes`. In integers, so the same on every processor. `out` overlaps no line.
void weigh_lines(const uint8_t* lines, size_t stride, const int32_t* weights, size_t count, size_t bytes,
                 uint8_t* out);

}  // namespace qslaw
