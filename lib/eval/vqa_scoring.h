// Scoring of short answers: the VQA evaluation's normalization and accuracy, and GQA's comparison.
#pragma once
#include <string>
#include <vector>

#include "eval/question_kinds.h"

namespace qslaw {

/// The VQA evaluation's (visualqa.org, PythonEvaluationTools): line breaks and tabs to spaces; punctuation
/// removed where it touches a space or the text has a number like 1,000, to spaces elsewhere; periods but
/// those before a digit removed; lower case; number words to digits; articles removed; apostrophes of
/// contractions.
std::string vqa_normalized(const std::string& text);

/// M4C's EvalAI form (LLaVA's m4c_evaluator.py): lower case, no commas and question marks, "'s" a word of its
/// own, then as vqa_normalized. What LLaVA sends to the servers of VQAv2 and VizWiz.
std::string evalai_normalized(const std::string& text);

/// Mean over the annotators of min(1, matches among the others / 3). No text is changed. REQUIRES:
/// references are not empty.
double leave_one_out_accuracy(const std::string& answer, const std::vector<std::string>& references);

/// The VQA evaluation's accuracy: answer and references are normalized unless all references are the same.
double vqa_accuracy(const std::string& text, const std::vector<std::string>& references);

/// TextVQA: answer and references in M4C's form.
Judgment judge_textvqa(const BenchmarkQuestion& question, const std::string& text);
/// VQAv2: vqa_accuracy of the answer as LLaVA sends it.
Judgment judge_vqav2(const BenchmarkQuestion& question, const std::string& text);
/// VizWiz: the answer as LLaVA sends it, normalized; references as published.
Judgment judge_vizwiz(const BenchmarkQuestion& question, const std::string& text);
/// GQA: equal after lower case and without periods at the end.
Judgment judge_gqa(const BenchmarkQuestion& question, const std::string& text);

}  // namespace qslaw
