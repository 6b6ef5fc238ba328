// Text files with errors that name the byte and line.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace qslaw {

/// The file's text, without a UTF-8 byte order mark. UserError naming the first bad byte for any other
/// encoding, and for compressed and Parquet files, whose kind it names.
std::string read_utf8(const std::filesystem::path& path);

/// What stands between a file's records unless a recipe says otherwise: an empty line between the documents
/// of JSON lines (.jsonl, or .json as C4 names them), nothing in plain text.
std::string default_join(const std::filesystem::path& path);

/// The file's records with `join` between them. The records of JSON lines are their "text"; blank lines are
/// none. A plain file is one record if `join` is empty; else its lines are the records, with their line
/// breaks but blank ones as "", which are the rows that Hugging Face's `datasets` makes of WikiText's files.
/// UserError as read_utf8's, and for a JSON line without text.
std::string read_text(const std::filesystem::path& path, const std::string& join);

/// A file's bytes without a UTF-8 byte order mark. UserError for UTF-16's, and for those of
/// compressed and Parquet files and of git-lfs' pointers.
std::string_view without_mark(std::string_view bytes, const std::filesystem::path& path);

/// UserError naming the first byte of the file's text that is not UTF-8.
void require_utf8(std::string_view text, const std::filesystem::path& path);

}  // namespace qslaw
