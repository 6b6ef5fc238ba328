// Files that are either the old or the new version, never half of one; hashes.
#pragma once
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

namespace qslaw {

/// The file's bytes. UserError when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes through a temporary name in the same folder, syncs, renames, syncs the folder. A full disk or a
/// kill leaves the old file. Who writes the same file at the same time waits: the last one's stays. A link
/// stays a link. UserError names the path and the system's reason, or what is no regular file.
void write_file_atomic(const std::filesystem::path& path, const std::string& bytes);

/// Like write_file_atomic, the content being streamed by `write`.
void write_file_atomic(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// Renames folder `from` to `to` (which must not exist) and syncs the parent.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Creates the folder and its parents. UserError when it cannot.
void make_folder(const std::filesystem::path& path);

/// SHA-256 in hexadecimal.
std::string sha256(std::string_view bytes);
/// Of a file's bytes. Remembered while this process lives for a file of the same size and time, so that
/// gigabytes are read once; but not of one that was written just now, which could change unnoticed.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace qslaw
