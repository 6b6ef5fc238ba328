// The compression of GIF's pixels.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace qslaw {

/// Decodes Lempel-Ziv-Welch codes of growing length, lowest bits first.
class GifCodes {
 public:
  /// Of a palette index.
  static constexpr unsigned kMostBits = 11;

  /// `data` without the sizes of its blocks; must outlive this. REQUIRES: bits <= kMostBits.
  GifCodes(const std::string& data, unsigned bits);

  /// Puts the first `count` indices into `out`; false where the data has fewer or is damaged. What follows
  /// them is not looked at.
  bool decode(size_t count, std::vector<uint8_t>& out);

 private:
  void restart();
  bool next(unsigned& code);
  bool add(unsigned code, std::vector<uint8_t>& out);

  static constexpr size_t kCodes = 4096;  // of the longest, 12 bits
  static constexpr unsigned kNone = kCodes;
  const std::string& data_;
  unsigned first_bits_, clear_;
  std::array<uint16_t, kCodes> prefix_ = {};
  std::array<uint8_t, kCodes> suffix_ = {};
  std::array<uint8_t, kCodes + 1> reversed_ = {};  // a code's indices, the last one first
  size_t at_ = 0;
  uint32_t buffer_ = 0;
  unsigned held_ = 0, bits_ = 0, size_ = 0, last_ = kNone;
};

}  // namespace qslaw
