// UTF-8 text files with errors that name the byte and line.
#pragma once
#include <filesystem>
#include <string>

namespace qslaw {

/// The file's text, without a UTF-8 byte order mark. UserError naming the first bad byte for any other
/// encoding.
std::string read_utf8(const std::filesystem::path& path);

}  // namespace qslaw
