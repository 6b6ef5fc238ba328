// JSON from text, with errors in this program's words.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace qslaw {

/// Parses `text`, which begins at line `first_line` of `place` (a path, or what of a file it is). A malformed
/// text is UserError("[where] expected valid JSON in PLACE, got ..."), which says what is wrong and at which
/// line and column (in characters, from 1); so is one of more than 64 levels. Values that `keep` refuses
/// (nlohmann's parser callback) are dropped while parsing.
nlohmann::json parse_json(std::string_view text, const std::string& where, const std::string& place,
                          size_t first_line = 1, const nlohmann::json::parser_callback_t& keep = nullptr);

}  // namespace qslaw
