#include "core/whitespace.h"

#include <array>

namespace qslaw {
namespace {

// str.isspace() beyond ASCII (Unicode: bidirectional type WS, B or S, or category Zs).
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

bool is_ascii_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
}

// Bytes of the white space at the beginning or end of `text`, 0 when there is none.
size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  if (static_cast<unsigned char>(text.front()) < 0x80) return is_ascii_space(text.front()) ? 1 : 0;
  for (const auto space : kWideSpaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

size_t trailing_space(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_space(text.back())) return 1;
  for (const auto space : kWideSpaces) {
    if (text.ends_with(space)) return space.size();
  }
  return 0;
}

}  // namespace

std::string_view strip_left(std::string_view text) {
  while (const size_t count = leading_space(text))
    text.remove_prefix(count);
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (const size_t count = trailing_space(text))
    text.remove_suffix(count);
  return text;
}

std::string_view strip(std::string_view text) {
  return strip_left(strip_right(text));
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool within = false;
  while (!text.empty()) {
    const size_t space = leading_space(text);
    if (space == 0 && !within) ++words;
    within = space == 0;
    text.remove_prefix(within ? 1 : space);
  }
  return words;
}

}  // namespace qslaw
