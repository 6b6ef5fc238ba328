#include "data/text_file.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/files.h"

namespace qslaw {
namespace {

size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// Offset of the first byte that is not UTF-8; the text's size when all of it is.
size_t first_bad_byte(std::string_view text) {
  if (is_valid_utf8(text)) return text.size();
  size_t at = 0;
  while (at < text.size() && is_valid_utf8(text.substr(at, character_bytes(text[at])))) {
    at += character_bytes(text[at]);
  }
  return at;
}

// 1-based line that holds byte `byte` of `text`.
size_t line_of(std::string_view text, size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  return 1 + static_cast<size_t>(std::count(text.begin(), end, '\n'));
}

}  // namespace

std::string read_utf8(const std::filesystem::path& path) {
  std::string text = read_file(path);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  const bool utf16 = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
  require(!utf16, "data", "expected UTF-8 in ", path.string(), ", got UTF-16 (byte order mark at byte 0)");
  const size_t bad = first_bad_byte(text);
  if (bad < text.size()) {
    fail("data", "expected UTF-8 in ", path.string(), ", got another encoding at byte ", bad, " (line ",
         line_of(text, bad), ")");
  }
  return text;
}

}  // namespace qslaw
