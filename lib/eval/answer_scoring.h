// Judging answers that are yes or no, or a choice's letter, and summing up what is judged one by one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/question_kinds.h"

namespace qslaw {

/// POPE as LLaVA reads it (eval_pope.py): before the first period, without commas, one of the words "No",
/// "no" and "not" between spaces says no; everything else says yes, but is counted as not read unless it
/// holds "yes" in any case.
Judgment judge_pope(const BenchmarkQuestion& question, const std::string& text);

/// MME (calculation.py): "yes" or "no" among the first four characters, in any case; yes goes first.
Judgment judge_mme(const BenchmarkQuestion& question, const std::string& text);

/// MMBench: infer_choice.
Judgment judge_mmbench(const BenchmarkQuestion& question, const std::string& text);

/// SEED-Bench as LLaVA scores it (convert_seed_for_submission.py): the text is the letter.
Judgment judge_seed_bench(const BenchmarkQuestion& question, const std::string& text);

/// The choice that a text names, by VLMEvalKit's rule without a judge model: the only letter of a choice that
/// stands alone once .()[],:;!*#{} are spaces, but none where "A" stands among more than three words, which
/// may be an article; else the only choice whose text the answer holds, in any case.
std::optional<size_t> infer_choice(const std::string& text, const std::vector<std::string>& choices);

/// accuracy (mean score, percent) with accuracy_low and accuracy_high, n, unparsed, missing, and the accuracy
/// of each group; null without public answers.
nlohmann::json summarize_scores(const std::vector<JudgedQuestion>& judged, uint64_t seed);

/// MMBench: the same over units, which are right when all their questions are, and question_accuracy.
nlohmann::json summarize_units(const std::vector<JudgedQuestion>& judged, uint64_t seed);

/// POPE: by category accuracy, precision, recall, F1 and ratio of yes, and the mean F1.
nlohmann::json summarize_pope(const std::vector<JudgedQuestion>& judged, uint64_t seed);

/// MME: by subtask accuracy, accuracy+ (pictures with both questions right) and their sum; totals.
nlohmann::json summarize_mme(const std::vector<JudgedQuestion>& judged, uint64_t seed);

}  // namespace qslaw
