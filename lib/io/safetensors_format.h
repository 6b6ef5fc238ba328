// What reading and writing safetensors share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qslaw {

inline constexpr size_t kLengthBytes = 8;  // of the header's length, in front of it
inline constexpr const char* kMetadata = "__metadata__";

/// Element count, or -1 when an extent is negative or the count beyond what fits.
inline int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return -1;
  }
  return count;
}

}  // namespace qslaw
