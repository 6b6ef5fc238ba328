// JSON from text, with errors in this program's words.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace qslaw {

/// Parses `text`, which begins at line `first_line` of `place` (a path, or what of a file it is). A malformed
/// text is UserError("[where] expected valid JSON in PLACE, got ..."), which says what is wrong and at which
/// line and column (in characters, from 1); so is one of more than 64 levels. Values that `keep` refuses
/// (nlohmann's parser callback) are dropped while parsing.
nlohmann::json parse_json(std::string_view text, const std::string& where, const std::string& place,
                          size_t first_line = 1, const nlohmann::json::parser_callback_t& keep = nullptr);

/// What keeps a text from being valid JSON.
struct JsonFault {
  size_t offset = 0;  // bytes in front of it; 0 for a number out of range
  std::string what;   // in parse_json's words, behind "got"
};

/// The first fault that parse_json would complain of; none in valid JSON. Nothing is stored meanwhile, so
/// that the text may be of any size.
std::optional<JsonFault> find_json_fault(std::string_view text);

/// The value as JSON, on one line or with levels indented. Generated text may end within a character: the
/// replacement sign (U+FFFD) stands for bytes that are not UTF-8.
std::string dump_lenient(const nlohmann::json& value, int indent = -1);

/// The text with that sign in the place of such bytes.
std::string valid_utf8(const std::string& text);

/// "a text that ends too early" at the end of `text`, "an unexpected 'x'" within.
std::string unexpected_at(std::string_view text, size_t offset);

/// "line 3, column 8" of a byte of `text`, which begins at line `first_line`. Columns are characters.
std::string text_position(std::string_view text, size_t offset, size_t first_line = 1);

}  // namespace qslaw
