#include "recipe/open_quote.h"

#include <algorithm>

namespace qslaw {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Whether what begins at `at` begins a value: elsewhere quotes and "#" are part of plain text (`it's`).
bool begins_value(std::string_view text, size_t at) {
  size_t before = at;
  while (before > 0 && is_blank(text[before - 1]))
    --before;
  if (before == 0) return true;
  const char last = text[before - 1];
  const bool apart = before < at;
  return last == '\n' || last == '\r' || last == '[' || last == '{' || last == ',' ||
         (apart && (last == ':' || last == '-' || last == '?'));
}

bool begins_comment(std::string_view text, size_t at) {
  return text[at] == '#' && (at == 0 || is_blank(text[at - 1]) || text[at - 1] == '\n');
}

// The byte of the quotes that close those at `open`, or npos.
size_t closing_quote(std::string_view text, size_t open) {
  const char quote = text[open];
  for (size_t at = open + 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      const bool doubled = quote == '\'' && text.substr(at + 1, 1) == "'";
      if (!doubled) return at;
      ++at;
    }
  }
  return text.npos;
}

bool can_follow_quotes(std::string_view text, size_t at) {
  while (at < text.size() && is_blank(text[at]))
    ++at;
  return at == text.size() || std::string_view("\r\n,]}:#").find(text[at]) != std::string_view::npos;
}

TextPlace place_of(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const size_t line_end = before.rfind('\n');
  return {.line = static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          .column = static_cast<int>(line_end == before.npos ? at : at - line_end - 1)};
}

}  // namespace

std::optional<TextPlace> find_open_quote(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (begins_comment(text, at)) {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    const bool opens = (text[at] == '"' || text[at] == '\'') && begins_value(text, at);
    if (!opens) continue;
    const size_t close = closing_quote(text, at);
    if (close == text.npos) return place_of(text, at);
    const bool has_lines = text.substr(at, close - at).find('\n') != text.npos;
    if (has_lines && !can_follow_quotes(text, close + 1)) return place_of(text, at);
    at = close;
  }
  return {};
}

}  // namespace qslaw
