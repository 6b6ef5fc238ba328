#include "data/json_scan.h"

#include <algorithm>
#include <cstring>

namespace qslaw {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_escaped(std::string_view text, size_t begin, size_t quote) {
  size_t backslashes = 0;
  while (quote - backslashes > begin && text[quote - backslashes - 1] == '\\')
    ++backslashes;
  return backslashes % 2 == 1;
}

// Behind the string whose opening quote is in front of `begin`.
size_t end_of_string(std::string_view text, size_t begin) {
  for (size_t from = begin; from < text.size();) {
    const void* found = std::memchr(text.data() + from, '"', text.size() - from);
    if (found == nullptr) break;
    const auto quote = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    if (!is_escaped(text, from, quote)) return quote + 1;
    from = quote + 1;
  }
  return text.size() + 1;
}

size_t end_of_brackets(std::string_view text, size_t begin) {
  size_t depth = 0;
  for (size_t at = begin; at < text.size();) {
    const char c = text[at++];
    if (c == '"') {
      at = end_of_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at;
    }
  }
  return text.size() + 1;
}

}  // namespace

size_t skip_blanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

size_t end_of_json_value(std::string_view text, size_t begin) {
  if (begin >= text.size()) return text.size() + 1;
  if (text[begin] == '"') return end_of_string(text, begin + 1);
  if (text[begin] == '{' || text[begin] == '[') return end_of_brackets(text, begin);
  return std::min(text.find_first_of(" \t\r\n,]}", begin), text.size());
}

}  // namespace qslaw
