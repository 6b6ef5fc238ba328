#include "eval/base64.h"

#include <cstdint>

#include "core/error.h"

namespace qslaw {

std::string decode_base64(std::string_view text, const std::string& where) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  require(!text.empty() && text.size() % 4 == 0, where, "expected base64 in groups of four characters, got ",
          text.size());
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const size_t value = is_padding ? 0 : kAlphabet.find(text[i]);
    require(value != kAlphabet.npos, where, "expected base64, got another character at ", i);
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    for (const int shift : {16, 8, 0})
      bytes += static_cast<char>(bits >> shift & 0xffU);
  }
  bytes.erase(bytes.size() - padding);
  return bytes;
}

}  // namespace qslaw
