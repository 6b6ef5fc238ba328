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

/// {id: text} of a JSONL file with `id` (or LLaVA's `question_id`) and `text` per line. UserError names the
/// line that is malformed, or both that have the same id.
std::map<std::string, std::string> read_predictions(const std::filesystem::path& path);

/// Names an id of the file and one of a question: told side by side they show how they differ in form.
[[noreturn]] void fail_unanswered(const std::filesystem::path& path,
                                  const std::map<std::string, std::string>& texts,
                                  const std::string& question_id);

/// Of these the answers to `questions`, each of which has an id. UserError also where there are questions and
/// none is answered.
template <typename Question>
std::map<std::string, std::string> read_predictions(const std::filesystem::path& path,
                                                    const std::vector<Question>& questions) {
  std::map<std::string, std::string> all = read_predictions(path), answers;
  for (const Question& question : questions)
    answers.insert(all.extract(question.id));
  if (answers.empty() && !questions.empty()) fail_unanswered(path, all, questions.front().id);
  return answers;
}

}  // namespace qslaw
