// JSON files with errors that name the file.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw {

/// Parses the file. UserError naming the path (and as parse_json what is wrong where) when it is missing or
/// malformed.
nlohmann::json read_json(const std::filesystem::path& path);

/// Writes atomically, indented by two spaces.
void write_json(const std::filesystem::path& path, const nlohmann::json& value);

}  // namespace qslaw
