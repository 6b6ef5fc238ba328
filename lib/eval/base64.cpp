#include "eval/base64.h"

#include <array>
#include <cstdint>

#include "core/error.h"

namespace qslaw {
namespace {

constexpr uint8_t kNone = 64;  // more than any value

// What each character stands for. A benchmark has gigabytes of them.
constexpr std::array<uint8_t, 256> kValues = [] {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  for (size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<uint8_t>(i);
  return values;
}();

}  // namespace

std::string decode_base64(std::string_view text, const std::string& where) {
  require(!text.empty() && text.size() % 4 == 0, where, "expected base64 in groups of four characters, got ",
          text.size());
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const uint8_t value = is_padding ? 0 : kValues[static_cast<unsigned char>(text[i])];
    require(value != kNone, where, "expected base64, got another character at ", i);
    bits = bits << 6 | value;
    if (i % 4 != 3) continue;
    for (const int shift : {16, 8, 0})
      bytes += static_cast<char>(bits >> shift & 0xffU);
  }
  bytes.erase(bytes.size() - padding);
  return bytes;
}

}  // namespace qslaw
