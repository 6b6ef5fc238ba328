// UTF-8 text and JSON files with errors that name the byte or line.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace qslaw {

/// The file's text, without a UTF-8 byte order mark. UserError naming the first bad byte for any other
/// encoding.
std::string read_utf8(const std::filesystem::path& path);

/// 1-based line that holds byte `byte` of `text`.
size_t line_of(std::string_view text, size_t byte);

/// Parses `text`, which begins at line `first_line` of the file; UserError naming file and line when
/// malformed. Values that `keep` refuses (nlohmann's parser callback) are dropped while parsing.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file, size_t first_line = 1,
                          const nlohmann::json::parser_callback_t& keep = nullptr);

}  // namespace qslaw
