// What looking at samples has found, one by one and of all of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace qslaw {

/// What looking at one sample has found.
struct Finding {
  std::string problem;        // why it cannot be used; empty where it can, or where its length alone is why
  int64_t long_tokens = 0;    // of one that is longer than allowed, and is cut or skipped
  std::string long_place;     // that of the same one
  std::string shorn_place;    // its place where a first turn of "gpt" is left out
  std::string empty_place;    // its place where an answer is empty
  std::string image_place;    // its place where "<image>" is text
  bool is_skipped = false;    // for its length
  bool always_stops = false;  // its problem is one whatever becomes of bad samples
};

/// How many samples something was noted of, and the first one's place.
struct Oddity {
  int64_t count = 0;
  std::string first;
  void add(const std::string& place);  // empty: nothing was noted
};

/// And at all of them.
struct Findings {
  int64_t looked_at = 0, longest = 0, skipped = 0;
  Oddity long_ones, shorn, empty, images;
  std::string first_stop;
  std::vector<std::string> problems;
  int64_t sound() const { return looked_at - skipped - static_cast<int64_t>(problems.size()); }
};

/// Runs `look` and notes why the sample cannot be used.
template <typename Look>
void note_problem(Finding& finding, const Look& look) {
  try {
    look();
  } catch (const LongSample& problem) {
    finding.is_skipped = problem.is_skipped;
    finding.always_stops = !problem.is_skipped;
    (problem.is_skipped ? finding.long_place : finding.problem) = problem.what();
    finding.long_tokens = problem.is_skipped ? problem.length : 0;
  } catch (const UserError& problem) {
    finding.problem = problem.what();
  }
}

/// What of a sample that was read is not as its file has it.
void note_changes(Finding& finding, const Sample& sample);

void add(Findings& all, const Finding& one);

}  // namespace qslaw
