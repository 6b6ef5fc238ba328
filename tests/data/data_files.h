// Files for the data set tests: a folder that goes away with the test, the fixture tokenizer, rows of a
// .jsonl file.
#pragma once
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/dataset.h"

namespace data_files {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qslaw_text_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(QSLAW_FIXTURES) / name;
}

inline const qslaw::Tokenizer& tokenizer() {
  static const qslaw::Tokenizer loaded = qslaw::Tokenizer::load(fixture("tokenizer"));
  return loaded;
}

inline std::vector<nlohmann::json> rows_of(const std::string& name) {
  std::ifstream in(fixture(name));
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(in, line);)
    rows.push_back(nlohmann::json::parse(line));
  return rows;
}

inline std::vector<qslaw::Turn> turns_of(const nlohmann::json& list) {
  std::vector<qslaw::Turn> turns;
  for (const auto& turn : list) {
    turns.push_back(
        {turn[0] == "human" ? qslaw::Role::human : qslaw::Role::assistant, turn[1].get<std::string>()});
  }
  return turns;
}

/// Messages of the samples that cannot be used.
inline std::vector<std::string> bad_samples(const qslaw::Dataset& dataset) {
  std::vector<std::string> messages;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    try {
      dataset.at(i);
    } catch (const qslaw::UserError& problem) {
      messages.emplace_back(problem.what());
    }
  }
  return messages;
}

/// The UserError's message; fails the test when nothing is thrown.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const qslaw::UserError& problem) {
    return problem.what();
  }
  FAIL("no UserError was thrown");
  return {};
}

}  // namespace data_files
