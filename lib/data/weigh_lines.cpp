#include "data/weigh_lines.h"

#include "core/clones.h"

namespace qslaw {
namespace {

// Blocks whose sums fit into the registers of AVX2; the compiler makes vectors of the inner loops.
QSLAW_INLINE void weigh(const uint8_t* __restrict lines, size_t stride, const int32_t* __restrict weights,
                        size_t count, size_t bytes, uint8_t* __restrict out) {
  for (size_t block = 0; block < bytes; block += kLineMultiple) {
    int32_t sums[kLineMultiple];
    for (size_t i = 0; i < kLineMultiple; ++i)
      sums[i] = 1 << (kWeightBits - 1);
    for (size_t k = 0; k < count; ++k) {
      const uint8_t* line = lines + k * stride + block;
      const int32_t weight = weights[k];
      for (size_t i = 0; i < kLineMultiple; ++i)
        sums[i] += weight * line[i];
    }
    for (size_t i = 0; i < kLineMultiple; ++i) {
      const int32_t value = sums[i] >> kWeightBits;
      out[block + i] = static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

}  // namespace

QSLAW_COPIES(void, weigh_lines,
             (const uint8_t* lines, size_t stride, const int32_t* weights, size_t count, size_t bytes,
              uint8_t* out),
             weigh, (lines, stride, weights, count, bytes, out))

}  // namespace qslaw
