// predictions/<benchmark>.jsonl: one object per sample.
#pragma once
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw {

/// Collects lines under a temporary name; `finish` puts the file in place.
class PredictionsFile {
 public:
  PredictionsFile(const std::filesystem::path& folder, const std::string& benchmark);
  void write(const nlohmann::json& line);
  void finish();

 private:
  std::filesystem::path path_;
  std::string lines_;
};

/// {id: text} of a JSONL file with `id` and `text` per line. UserError names the line that is malformed, or
/// both that have the same id.
std::map<std::string, std::string> read_predictions(const std::filesystem::path& path);

}  // namespace qslaw
