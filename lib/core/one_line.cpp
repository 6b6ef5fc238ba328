#include "core/one_line.h"

namespace qslaw {

std::string one_line(const std::string& text, size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= limit && (c & 0xC0) != 0x80) return out + "...";  // never inside a UTF-8 sequence
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

}  // namespace qslaw
