#include "sample_findings.h"

#include <algorithm>

namespace qslaw {

void note_changes(Finding& finding, const Sample& sample) {
  const std::string place = concat("[", sample.where, "]");
  if (sample.turn_left_out) finding.shorn_place = place;
  if (sample.answer_empty) finding.empty_place = place;
  if (sample.image_as_text) finding.image_place = place;
  if (sample.cut_from == 0) return;
  finding.long_tokens = sample.cut_from;
  finding.long_place = place;
}

void Oddity::add(const std::string& place) {
  if (place.empty()) return;
  if (count == 0) first = place;
  count += 1;
}

void add(Findings& all, const Finding& one) {
  all.looked_at += 1;
  all.skipped += one.is_skipped ? 1 : 0;
  all.longest = std::max(all.longest, one.long_tokens);
  all.long_ones.add(one.long_place);
  all.shorn.add(one.shorn_place);
  all.empty.add(one.empty_place);
  all.images.add(one.image_place);
  if (all.first_stop.empty() && one.always_stops) all.first_stop = one.problem;
  if (!one.problem.empty()) all.problems.push_back(one.problem);
}

}  // namespace qslaw
