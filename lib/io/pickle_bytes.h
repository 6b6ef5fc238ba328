// The bytes of a pickle, for pickle.cpp.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"

namespace qslaw {

/// Reads them from front to back; UserError where they end before.
class PickleBytes {
 public:
  PickleBytes(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  size_t size() const { return bytes_.size(); }

  /// UserError that names the place that is read.
  void check(bool good, const std::string& expected, const std::string& got) const {
    require(good, "weights", "expected ", expected, ", got ", got, " at byte ", at_, " of the pickle in ",
            file_);
  }

  /// The next `count` bytes.
  std::string_view take(uint64_t count) {
    check(count <= bytes_.size() - at_, "a whole pickle", "its end");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  /// Little-endian and unsigned. REQUIRES: count <= 8.
  uint64_t number(size_t count) {
    uint64_t value = 0;
    std::memcpy(&value, take(count).data(), count);
    return value;
  }
  /// Up to a newline, which is taken too.
  std::string line() {
    const size_t end = bytes_.find('\n', at_);
    check(end != bytes_.npos, "a whole pickle", "its end");
    const std::string text(take(end - at_));
    take(1);
    return text;
  }
  /// Little-endian, in two's complement.
  int64_t long_integer(uint64_t count) {
    check(count <= 8, "an integer of at most 8 bytes", concat(count));
    const auto bytes = take(count);
    const bool negative = count > 0 && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
    int64_t value = negative ? -1 : 0;
    std::memcpy(&value, bytes.data(), count);
    return value;
  }

 private:
  std::string_view bytes_;
  const std::string& file_;
  size_t at_ = 0;
};

}  // namespace qslaw
