// Judging answers that are yes or no, or a choice's letter, and summing up what is judged one by one.
#pragma once
#include <string>
#include <vector>

#include "eval/question_kinds.h"

namespace qslaw {

/// POPE as LLaVA reads it (eval_pope.py): before the first period, without commas, one of the words "No",
/// "no" and "not" between spaces says no; everything else says yes, but is counted as not read unless it
/// holds "yes" in any case.
Judgment judge_pope(const BenchmarkQuestion& question, const std::string& text);

/// MME (calculation.py): "yes" or "no" within the first four characters, in any case; yes goes first.
Judgment judge_mme(const BenchmarkQuestion& question, const std::string& text);

/// MMBench: infer_choice.
Judgment judge_mmbench(const BenchmarkQuestion& question, const std::string& text);

/// SEED-Bench as LLaVA scores it (convert_seed_for_submission.py): the text is the letter.
Judgment judge_seed_bench(const BenchmarkQuestion& question, const std::string& text);

/// The letter of the choice that a text names, by VLMEvalKit's rule without a judge model (can_infer of
/// vlmeval/utils/matching_util.py at 2cf2a36c, 2026-06-25); "Z" for a refusal, "" where nothing is found. In
/// this order: one of its phrases of refusal says Z. With .()[],:;!*#{} as spaces, the only choice whose
/// letter is a word, if that is first found among the last four words; Z if that is a word and no choice's
/// letter is. The letter behind "answer is". Last, of a text of at most twice as many characters as all
/// choices together, the only choice whose text it holds, in any case: all that is looked for where "Failed
/// to obtain answer via API" stands.
std::string infer_choice(const std::string& text, const std::vector<std::string>& choices);

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
