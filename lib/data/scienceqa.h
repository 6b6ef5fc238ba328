// The ScienceQA benchmark's files and LLaVA's prompts for them (scripts/convert_sqa_to_llava*.py).
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

struct ScienceQaProblem {
  std::string id;
  std::string question;
  std::vector<std::string> choices;  // 1 to 5
  int64_t answer = 0;                // index of the right choice
  std::string hint;                  // may be empty
  std::string lecture;               // may be empty
  std::string solution;              // may be empty
  std::filesystem::path picture;     // empty when the problem has none
  std::string subject;               // "natural science", "social science", "language science"; may be empty
  std::string grade;                 // "grade1" ... "grade12"; may be empty
  std::string topic;
  std::string category;
  std::string skill;
};

/// The problems of a split ("train", "val", "test", ...) in its order; pictures are images/<id>/<name>, or
/// images/<name> where only that exists. UserError naming file, problem and key; also for a subject or grade
/// that the benchmark does not have, and for a problem that the split lists twice.
std::vector<ScienceQaProblem> read_scienceqa(const std::filesystem::path& problems,
                                             const std::filesystem::path& splits, const std::string& split,
                                             const std::filesystem::path& images);

/// The human's text, without "<image>". Formats: QCM-LEA (question, context, options) and CQM-A (context
/// first). UserError for another format.
std::string scienceqa_question(const ScienceQaProblem& problem, const std::string& format);

/// The assistant's text: "lecture solution The answer is X." (QCM-LEA) or "The answer is X." (CQM-A).
std::string scienceqa_answer(const ScienceQaProblem& problem, const std::string& format);

/// "A" for 0, "B" for 1, ... REQUIRES: 0 <= index < 5.
std::string scienceqa_letter(int64_t index);

}  // namespace qslaw
