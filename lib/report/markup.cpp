#include "report/markup.h"

#include <array>
#include <cstdint>

#include "core/text.h"

namespace qslaw {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

// The length of the well-formed sequence at `i`, or 0.
size_t valid_length(std::string_view text, size_t i) {
  const size_t length = sequence_length(static_cast<unsigned char>(text[i]));
  if (i + length > text.size()) return 0;
  return is_valid_utf8(text.substr(i, length)) ? length : 0;
}

// REQUIRES: a well-formed sequence.
uint32_t code_point(std::string_view sequence) {
  static constexpr std::array<unsigned, 5> kLeadMask = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t value = static_cast<unsigned char>(sequence[0]) & kLeadMask[sequence.size()];
  for (size_t k = 1; k < sequence.size(); ++k)
    value = value << 6 | (static_cast<unsigned char>(sequence[k]) & 0x3F);
  return value;
}

// XML 1.0, production 2 (Char), without the carriage return, which parsers would turn into a newline.
bool allowed(uint32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n';
  return code != 0x7F && code != 0xFFFE && code != 0xFFFF;
}

template <typename Visit>
void for_each_character(std::string_view text, Visit visit) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = valid_length(text, i);
    const bool good = length > 0 && allowed(code_point(text.substr(i, length)));
    visit(good ? text.substr(i, length) : kReplacement);
    i += length > 0 ? length : 1;
  }
}

// The blocks of Unicode's EastAsianWidth.txt that are wide as a whole, and the emoji.
int character_width(uint32_t code) {
  if ((code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200F) ||
      (code >= 0xFE00 && code <= 0xFE0F)) {
    return 0;
  }
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
  return wide ? 2 : 1;
}

std::string_view reference(std::string_view character) {
  if (character == "&") return "&amp;";
  if (character == "<") return "&lt;";
  if (character == ">") return "&gt;";
  if (character == "\"") return "&quot;";
  if (character == "'") return "&#39;";
  return character;
}

}  // namespace

std::string repair_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](std::string_view character) { out += character; });
  return out;
}

std::string escape_markup(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for_each_character(text, [&](std::string_view character) { out += reference(character); });
  return out;
}

Html html_text(std::string_view text) {
  return {escape_markup(text)};
}

Html html_element(std::string_view tag, std::string_view css_class, const Html& content) {
  const std::string attribute = css_class.empty() ? "" : concat(" class=\"", css_class, "\"");
  return {concat("<", tag, attribute, ">", content.code, "</", tag, ">")};
}

int display_width(std::string_view text) {
  int width = 0;
  for_each_character(text,
                     [&](std::string_view character) { width += character_width(code_point(character)); });
  return width;
}

std::string shorten(std::string_view text, int cells) {
  if (display_width(text) <= cells) return repair_text(text);
  std::string out;
  int width = 0;
  bool full = false;
  for_each_character(text, [&](std::string_view character) {
    const int next = character_width(code_point(character));
    full = full || width + next > cells - 1;
    if (full) return;
    out += character;
    width += next;
  });
  return out + "\xE2\x80\xA6";
}

std::string base64(std::string_view bytes) {
  static const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += k <= count ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace qslaw
