// Files as lines of a stage's inputs: "path size time" now, and "path size time digest" of when it began.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

std::vector<std::string> lines_of(const std::string& text);
/// Whether it has the form of one in hexadecimal.
bool is_sha256(const std::string& text);

/// "path size time", or "path is missing". Only looks at the folder, not into the file.
std::string input_line(const std::filesystem::path& path);
bool is_input_line(const std::string& line);
bool is_missing(const std::string& line);
/// The path in it.
std::string input_path(const std::string& line);

/// The lines, with a digest of its content behind each file's that can be read.
std::string with_digests(const std::string& lines);

/// Whether a line of now says the same as one of when a stage began. A file of another time but the same size
/// is read: a copy, a checkout or `touch` changes nothing.
bool is_same_input(const std::string& begun, const std::string& now);

}  // namespace qslaw
