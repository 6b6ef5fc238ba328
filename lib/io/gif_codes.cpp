#include "io/gif_codes.h"

namespace qslaw {

GifCodes::GifCodes(const std::string& data, unsigned bits)
    : data_(data), first_bits_(bits), clear_(1U << bits) {
  restart();
}

bool GifCodes::decode(size_t count, std::vector<uint8_t>& out) {
  out.clear();
  out.reserve(count);
  for (unsigned code = 0; out.size() < count;) {
    if (!next(code) || code == clear_ + 1) return false;
    if (code == clear_) {
      restart();
    } else if (!add(code, out)) {
      return false;
    }
  }
  out.resize(count);
  return true;
}

void GifCodes::restart() {
  bits_ = first_bits_ + 1;
  size_ = clear_ + 2;
  last_ = kNone;
}

bool GifCodes::next(unsigned& code) {
  while (held_ < bits_) {
    if (at_ == data_.size()) return false;
    buffer_ |= static_cast<uint32_t>(static_cast<unsigned char>(data_[at_++])) << held_;
    held_ += 8;
  }
  code = buffer_ & ((1U << bits_) - 1);
  buffer_ >>= bits_;
  held_ -= bits_;
  return true;
}

// Writes the code's indices and learns the last code's with the first of these behind.
bool GifCodes::add(unsigned code, std::vector<uint8_t>& out) {
  if (code > size_ || (last_ == kNone && code >= clear_)) return false;
  const bool is_new = code == size_;  // the last code's indices, and the first of these again
  if (is_new && size_ == kCodes) return false;
  size_t length = is_new ? 1 : 0;
  unsigned at = is_new ? last_ : code;
  for (; at >= clear_; at = prefix_[at])
    reversed_[length++] = suffix_[at];
  const auto first = static_cast<uint8_t>(at);
  reversed_[length++] = first;
  if (is_new) reversed_[0] = first;
  out.insert(out.end(), reversed_.rend() - static_cast<std::ptrdiff_t>(length), reversed_.rend());
  if (last_ != kNone && size_ < kCodes) {
    prefix_[size_] = static_cast<uint16_t>(last_);
    suffix_[size_] = first;
    if (++size_ == 1U << bits_ && bits_ < 12) ++bits_;
  }
  last_ = code;
  return true;
}

}  // namespace qslaw
