#include "eval/answer_text.h"

#include <wctype.h>

#include <algorithm>
#include <clocale>

#include "core/error.h"
#include "core/whitespace.h"

namespace qslaw {
namespace {

locale_t unicode_locale() {
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  QSLAW_CHECK(locale != nullptr);
  return locale;
}

size_t character_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

char32_t code_point(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  const size_t size = character.size();
  char32_t code = size == 1 ? lead : lead & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i)
    code = (code << 6) | (static_cast<unsigned char>(character[i]) & 0x3fU);
  return code;
}

void append_utf8(char32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const unsigned lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
  out += static_cast<char>(lead | (code >> (6 * more)));
  for (size_t i = more; i-- > 0;)
    out += static_cast<char>(0x80U | ((code >> (6 * i)) & 0x3fU));
}

}  // namespace

std::string lower_case(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::min(character_size(text[at]), text.size() - at);
    const char32_t code = code_point(std::string_view(text).substr(at, size));
    append_utf8(static_cast<char32_t>(::towlower_l(static_cast<wint_t>(code), unicode_locale())), out);
    at += size;
  }
  return out;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (size_t at = 0; at < text.size();) {
    const std::string_view character = text.substr(at, character_size(text[at]));
    if (!strip(character).empty()) {
      words.back() += character;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
    at += character.size();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string replace_all(const std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  size_t begin = 0;
  for (size_t at; (at = text.find(from, begin)) != text.npos; begin = at + from.size())
    out.append(text, begin, at - begin).append(to);
  return out.append(text, begin);
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += character_size(text[at]))
    ++count;
  return count;
}

std::string first_characters(const std::string& text, size_t count) {
  size_t end = 0;
  for (; count > 0 && end < text.size(); --count)
    end += character_size(text[end]);
  return text.substr(0, end);
}

}  // namespace qslaw
