#include "data/text_file.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "core/whitespace.h"
#include "io/mapped_file.h"

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

void refuse_packed(std::string_view bytes, const std::filesystem::path& path) {
  refuse_lfs_pointer(bytes, path, "data", "data in UTF-8");
  require(!bytes.starts_with("PAR1"), "data", "expected UTF-8 in ", path.string(),
          ", got Parquet (write it as JSON lines: docs/recipes.md)");
  require(!bytes.starts_with("\x1f\x8b"), "data", "expected UTF-8 in ", path.string(),
          ", got gzip (unpack it)");
}

bool is_json_lines(const std::filesystem::path& path) {
  return path.extension() == ".jsonl" || path.extension() == ".json";
}

std::string document_text(std::string_view line, const std::filesystem::path& path, size_t number) {
  const nlohmann::json document = parse_json(line, "data", path.string(), number);
  require(document.is_object() && document.contains("text") && document["text"].is_string(), "data",
          "expected {\"text\": ...} in ", path.string(), ", line ", number, ", got ",
          document.is_object() ? "no such text" : document.type_name());
  return document["text"].get<std::string>();
}

// Python reads "\r\n" as one line break, and a line of spaces is blank to str.strip().
std::string row_text(std::string_view line, bool has_break) {
  if (strip(line).empty()) return "";
  if (has_break && line.ends_with('\r')) line.remove_suffix(1);
  return std::string(line) + (has_break ? "\n" : "");
}

}  // namespace

std::string default_join(const std::filesystem::path& path) {
  return is_json_lines(path) ? "\n\n" : "";
}

std::string read_text(const std::filesystem::path& path, const std::string& join) {
  const std::string file = read_utf8(path);
  const bool documents = is_json_lines(path);
  if (!documents && join.empty()) return file;
  std::string text;
  size_t number = 1;
  bool first = true;
  for (size_t begin = 0, end; begin < file.size(); begin = end + 1, ++number) {
    end = std::min(file.find('\n', begin), file.size());
    const std::string_view line(file.data() + begin, end - begin);
    if (documents && strip(line).empty()) continue;
    if (!first) text += join;
    text += documents ? document_text(line, path, number) : row_text(line, end < file.size());
    first = false;
  }
  return text;
}

std::string read_utf8(const std::filesystem::path& path) {
  std::string text = read_file(path);
  text.erase(0, text.size() - without_mark(text, path).size());
  require_utf8(text, path);
  return text;
}

std::string_view without_mark(std::string_view bytes, const std::filesystem::path& path) {
  refuse_packed(bytes, path);
  const bool utf16 = bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
  require(!utf16, "data", "expected UTF-8 in ", path.string(), ", got UTF-16 (byte order mark at byte 0)");
  return bytes.substr(bytes.starts_with("\xef\xbb\xbf") ? 3 : 0);
}

void require_utf8(std::string_view text, const std::filesystem::path& path) {
  const size_t bad = first_bad_byte(text);
  if (bad == text.size()) return;
  fail("data", "expected UTF-8 in ", path.string(), ", got another encoding at byte ", bad, " (line ",
       line_of(text, bad), ")");
}

}  // namespace qslaw
