// ScienceQA's scoring by LLaVA's rule (llava/eval/eval_science_qa.py): parse a letter, compare, average by
// subset.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/scienceqa.h"

namespace qslaw {

/// Result of reading an answer text.
inline constexpr int64_t kUnparsed = -2;    // no letter found
inline constexpr int64_t kOutOfRange = -1;  // a letter beyond the choices

/// Index of the chosen answer: the text is one of A..E; or starts with "X. "; or contains "The answer is X"
/// followed by any one character exactly once.
int64_t parse_scienceqa_answer(const std::string& text, size_t choices);

/// A scored problem.
struct ScienceQaAnswer {
  std::string text;
  bool missing = false;
};

/// accuracy with its interval (accuracy_low, accuracy_high), n, unparsed, missing and the eight subset
/// columns, in percent; a subset without problems is null.
nlohmann::json score_scienceqa(const std::vector<ScienceQaProblem>& problems,
                               const std::map<std::string, ScienceQaAnswer>& answers, uint64_t seed);

}  // namespace qslaw
