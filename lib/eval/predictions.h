// predictions/<benchmark>.jsonl: one object per sample.
#pragma once
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"

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

/// Of these the answers to `questions`, each of which has an id. UserError also where there are questions and
/// none is answered.
template <typename Question>
std::map<std::string, std::string> read_predictions(const std::filesystem::path& path,
                                                    const std::vector<Question>& questions) {
  std::map<std::string, std::string> all = read_predictions(path), answers;
  for (const Question& question : questions)
    answers.insert(all.extract(question.id));
  require(!answers.empty() || questions.empty(), "eval",
          "expected answers to the benchmark's questions, got none with the id of one (", path.string(), ")");
  return answers;
}

}  // namespace qslaw
