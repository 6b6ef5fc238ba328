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
#include "report/number_text.h"
#include "sample_findings.h"

namespace qslaw {
namespace {

constexpr size_t kShownProblems = 20;
constexpr int64_t kChunk = 256;  // samples looked at between two looks at progress and stop signals

void add_to_mean(double& mean, int64_t count, double value) {
  mean += (value - mean) / static_cast<double>(count);
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
  const int64_t tokens = expanded_length(sample, tokens_per_picture);
  checked.sound += 1;
  checked.longest = std::max(checked.longest, tokens);
  checked.has_pictures |= !sample.is_text();
  add_to_mean(checked.mean_tokens, checked.sound, static_cast<double>(tokens));
  add_to_mean(checked.mean_learned, checked.sound, static_cast<double>(learned_tokens(sample)));
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
  if (found.long_ones.count == 0) return;
  const bool all_skipped = found.skipped == found.long_ones.count;
  const std::string of_some =
      found.skipped > 0 ? concat(", but ", found.skipped, " of them skipped, as nothing to learn is left")
                        : "";
  log_warning(concat("[", options.stage, "] ", found.long_ones.count, " of ", found.looked_at,
                     " samples looked at are longer than ", options.length_limit, " (longest ", found.longest,
                     "): ", all_skipped ? "skipped" : "cut" + of_some, ", first: ", found.long_ones.first));
}

// What some of the samples have, LLaVA taking it as it is.
void log_oddity(const CheckOptions& options, const Findings& found, const Oddity& oddity,
                const std::string& what) {
  if (oddity.count == 0) return;
  log_warning(concat("[", options.stage, "] ", oddity.count, " of ", found.looked_at, " samples looked at ",
                     what, ", first: ", oddity.first));
}

void log_oddities(const CheckOptions& options, const Findings& found) {
  log_oddity(options, found, found.shorn, "begin with \"gpt\": that turn is left out, as LLaVA does");
  log_oddity(options, found, found.empty,
             "have an empty answer: nothing is learned of it (template plain: a line break), as in LLaVA");
  log_oddity(options, found, found.images, "have \"<image>\" but no picture: it is text there, as in LLaVA");
}

void require_sound(const CheckOptions& options, const Findings& found) {
  if (options.log_bad) {
    log_problems(without_repeats(found.problems));
    log_long(options, found);
    log_oddities(options, found);
  }
  const bool any_sound = found.sound() > 0, any_bad = !found.problems.empty();
  if (found.looked_at == 0) return;
  if (found.first_stop.empty() && any_sound && (!any_bad || options.on_bad_sample == BadSamplePolicy::skip))
    return;
  require(any_bad, options.stage, "expected a sound sample, got ", found.looked_at, " longer than ",
          options.length_limit, ", which are skipped, first: ", found.long_ones.first);
  fail(options.stage, "expected ", any_sound ? "sound samples" : "a sound sample", ", got ",
       found.problems.size(), " bad among ", found.looked_at,
       " checked, first: ", found.first_stop.empty() ? found.problems.front() : found.first_stop);
}

// A dry run looks at a share of a large set: nothing is said of the rest.
void log_share(const CheckOptions& options, int64_t looked_at, int64_t count) {
  if (!options.log_bad || looked_at >= count) return;
  log_info(concat("[", options.stage, "] looked at ", format_count(looked_at), " of ", format_count(count),
                  " ", options.counted, ", evenly spread; --check-share 1 looks at all"));
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

// Those that check_samples looks at, in the order that they are told in.
std::vector<int64_t> spread_numbers(const CheckOptions& options, int64_t count) {
  std::vector<int64_t> numbers;
  const int64_t step = std::max<int64_t>(1, count / options.at_most);
  for (int64_t i = 0; i < count; i += step)
    numbers.push_back(i);
  if (options.before) std::sort(numbers.begin(), numbers.end(), options.before);
  return numbers;
}

}  // namespace

CheckedSamples check_samples(const CheckOptions& options, int64_t count, const SampleSource& sample) {
  CheckedSamples checked;
  Findings found;
  for (const int64_t i : spread_numbers(options, count)) {
    Finding finding;
    note_problem(finding, [&] {
      const Sample at = sample(i);
      note_changes(finding, at);
      look_at_pictures(at, /*decode=*/false);
      add_sample(checked, at, options.tokens_per_picture);
    });
    add(found, finding);
  }
  log_share(options, found.looked_at, count);
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
  log_share(options, found.looked_at, count);
  require_sound(options, found);
}

}  // namespace qslaw
