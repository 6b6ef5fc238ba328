#include "sample_checks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "data/sample_pictures.h"
#include "io/image.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

constexpr size_t kShownProblems = 20;
constexpr int64_t kChunk = 256;  // samples looked at between two looks at progress and stop signals

void add_to_mean(double& mean, int64_t count, double value) {
  mean += (value - mean) / static_cast<double>(count);
}

/// What looking at one sample has found.
struct Finding {
  std::string problem;        // why it cannot be used; empty where it can, or where its length alone is why
  int64_t long_tokens = 0;    // of one that is longer than allowed, and is cut or skipped
  std::string long_place;     // that of the same one
  std::string shorn_place;    // its place where a first turn of "gpt" is left out
  bool is_skipped = false;    // for its length
  bool always_stops = false;  // its problem is one whatever becomes of bad samples
};

/// And at all of them.
struct Findings {
  int64_t looked_at = 0, long_ones = 0, longest = 0, skipped = 0, shorn = 0;
  std::string first_long, first_shorn, first_stop;
  std::vector<std::string> problems;
  int64_t sound() const { return looked_at - skipped - static_cast<int64_t>(problems.size()); }
};

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

// What of the sample is not as its file has it.
void note_changes(Finding& finding, const Sample& sample) {
  const std::string place = concat("[", sample.where, "]");
  if (sample.turn_left_out) finding.shorn_place = place;
  if (sample.cut_from == 0) return;
  finding.long_tokens = sample.cut_from;
  finding.long_place = place;
}

void add(Findings& all, const Finding& one) {
  all.looked_at += 1;
  all.skipped += one.is_skipped ? 1 : 0;
  all.long_ones += one.long_tokens > 0 ? 1 : 0;
  all.longest = std::max(all.longest, one.long_tokens);
  if (all.first_long.empty()) all.first_long = one.long_place;
  all.shorn += one.shorn_place.empty() ? 0 : 1;
  if (all.first_shorn.empty()) all.first_shorn = one.shorn_place;
  if (all.first_stop.empty() && one.always_stops) all.first_stop = one.problem;
  if (!one.problem.empty()) all.problems.push_back(one.problem);
}

void look_at_pictures(const Sample& sample, bool decode) {
  for_each_picture(sample, [decode](const std::filesystem::path& path) {
    if (decode) {
      read_image(path);
    } else {
      check_image_header(path);
    }
  });
  if (decode && !sample.picture_bytes.empty()) decode_image(sample.picture_bytes, sample.where);
}

void add_sample(CheckedSamples& checked, const Sample& sample, int64_t tokens_per_picture) {
  const int64_t unlearned = std::count(sample.labels.begin(), sample.labels.end(), kIgnoreLabel);
  const int64_t tokens = expanded_length(sample, tokens_per_picture);
  checked.sound += 1;
  checked.longest = std::max(checked.longest, tokens);
  add_to_mean(checked.mean_tokens, checked.sound, static_cast<double>(tokens));
  add_to_mean(checked.mean_learned, checked.sound,
              static_cast<double>(static_cast<int64_t>(sample.labels.size()) - unlearned));
}

// A sample that is drawn several times has the same to say each time.
std::vector<std::string> without_repeats(const std::vector<std::string>& problems) {
  std::vector<std::string> once;
  std::unordered_set<std::string> seen;
  for (const std::string& problem : problems) {
    if (seen.insert(problem).second) once.push_back(problem);
  }
  return once;
}

void log_problems(const std::vector<std::string>& problems) {
  for (size_t i = 0; i < std::min(problems.size(), kShownProblems); ++i)
    log_warning(problems[i]);
  if (problems.size() > kShownProblems)
    log_warning(concat("... and ", problems.size() - kShownProblems, " more"));
}

void log_long(const CheckOptions& options, const Findings& found) {
  if (found.long_ones == 0) return;
  log_warning(concat("[", options.stage, "] ", found.long_ones, " of ", found.looked_at,
                     " samples looked at are longer than ", options.length_limit, " (longest ", found.longest,
                     "): ", found.skipped > 0 ? "skipped" : "cut", ", first: ", found.first_long));
}

void log_shorn(const CheckOptions& options, const Findings& found) {
  if (found.shorn == 0) return;
  log_warning(concat("[", options.stage, "] ", found.shorn, " of ", found.looked_at,
                     " samples looked at begin with \"gpt\": that turn is left out, as LLaVA does, first: ",
                     found.first_shorn));
}

void require_sound(const CheckOptions& options, const Findings& found) {
  if (options.log_bad) {
    log_problems(without_repeats(found.problems));
    log_long(options, found);
    log_shorn(options, found);
  }
  const bool any_sound = found.sound() > 0, any_bad = !found.problems.empty();
  if (found.looked_at == 0) return;
  if (found.first_stop.empty() && any_sound && (!any_bad || options.on_bad_sample == BadSamplePolicy::skip))
    return;
  require(any_bad, options.stage, "expected a sound sample, got ", found.looked_at, " longer than ",
          options.length_limit, ", which are skipped, first: ", found.first_long);
  fail(options.stage, "expected ", any_sound ? "sound samples" : "a sound sample", ", got ",
       found.problems.size(), " bad among ", found.looked_at,
       " checked, first: ", found.first_stop.empty() ? found.problems.front() : found.first_stop);
}

void for_each(int64_t begin, int64_t end, bool one_by_one, const std::function<void(int64_t)>& work) {
  const auto range = [&work](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      work(i);
  };
  if (one_by_one) return range(begin, end);
  parallel_for(begin, end, 1, range);
}

// What samples begin..end-1 are found to be: by number, whichever thread looked at one.
std::vector<Finding> look_at_chunk(int64_t begin, int64_t end, bool one_by_one, bool decode,
                                   const SampleSource& sample) {
  const auto count = static_cast<size_t>(end - begin);
  std::vector<Sample> samples(count);
  std::vector<Finding> findings(count);
  const auto noting = [&](int64_t i, const auto& look) {
    const auto place = static_cast<size_t>(i - begin);
    note_problem(findings[place], [&] { look(samples[place]); });
    note_changes(findings[place], samples[place]);
  };
  for_each(begin, end, one_by_one, [&](int64_t i) { noting(i, [&](Sample& at) { at = sample(i); }); });
  // A bad sample has no pictures.
  for_each(begin, end, false,
           [&](int64_t i) { noting(i, [decode](const Sample& at) { look_at_pictures(at, decode); }); });
  return findings;
}

}  // namespace

CheckedSamples check_samples(const CheckOptions& options, int64_t count, const SampleSource& sample) {
  CheckedSamples checked;
  Findings found;
  const int64_t step = std::max<int64_t>(1, count / options.at_most);
  for (int64_t i = 0; i < count; i += step) {
    Finding finding;
    note_problem(finding, [&] {
      const Sample at = sample(i);
      note_changes(finding, at);
      look_at_pictures(at, /*decode=*/false);
      add_sample(checked, at, options.tokens_per_picture);
    });
    add(found, finding);
  }
  require_sound(options, found);
  return checked;
}

void look_at_samples(const CheckOptions& options, const Scrutiny& scrutiny, int64_t count,
                     const SampleSource& sample) {
  const auto wanted = static_cast<int64_t>(std::ceil(scrutiny.share * static_cast<double>(count)));
  const auto spread = [&](int64_t i) { return sample(i * count / wanted); };
  Findings found;
  Progress progress(options.stage + ": looking at", wanted, "samples");
  for (int64_t begin = 0; begin < wanted; begin += kChunk) {
    if (stop_requested()) throw Stopped("the dry run was stopped");
    const int64_t end = std::min(wanted, begin + kChunk);
    for (const Finding& finding : look_at_chunk(begin, end, options.one_by_one, scrutiny.decode, spread))
      add(found, finding);
    progress.update(end);
  }
  require_sound(options, found);
}

}  // namespace qslaw
