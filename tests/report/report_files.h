// Folders for the report's tests.
#pragma once
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/files.h"

/// A folder that goes away with the test.
struct ReportFolder {
  std::filesystem::path path;

  ReportFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qslaw_report_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~ReportFolder() { std::filesystem::remove_all(path); }
  ReportFolder(const ReportFolder&) = delete;
  ReportFolder& operator=(const ReportFolder&) = delete;

  /// Writes bytes as they are; makes the folders above.
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  std::string read(const std::string& name) const { return qslaw::read_file(path / name); }
};

/// The one-line message of the UserError that `action` throws, "" when it throws none.
template <typename Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const qslaw::UserError& error) {
    return error.what();
  }
  return "";
}

/// How often `part` occurs in `text`.
inline int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}
