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
  const int64_t pictures = std::count(sample.ids.begin(), sample.ids.end(), kImagePlaceholder);
  const int64_t unlearned = std::count(sample.labels.begin(), sample.labels.end(), kIgnoreLabel);
  const int64_t tokens = static_cast<int64_t>(sample.ids.size()) + pictures * (tokens_per_picture - 1);
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

void require_sound(const CheckOptions& options, int64_t sound, const std::vector<std::string>& problems) {
  if (options.log_bad) log_problems(without_repeats(problems));
  if (problems.empty() || (options.on_bad_sample == BadSamplePolicy::skip && sound > 0)) return;
  fail(options.stage, "expected ", sound > 0 ? "sound samples" : "a sound sample", ", got ", problems.size(),
       " bad among ", problems.size() + static_cast<size_t>(sound), " checked, first: ", problems.front());
}

void for_each(int64_t begin, int64_t end, bool one_by_one, const std::function<void(int64_t)>& work) {
  const auto range = [&work](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      work(i);
  };
  if (one_by_one) return range(begin, end);
  parallel_for(begin, end, 1, range);
}

// What is wrong with samples begin..end-1, "" for a sound one: by number, whichever thread looked at it.
std::vector<std::string> look_at_chunk(int64_t begin, int64_t end, bool one_by_one, bool decode,
                                       const SampleSource& sample) {
  const auto count = static_cast<size_t>(end - begin);
  std::vector<Sample> samples(count);
  std::vector<std::string> problems(count);
  const auto noting = [&](int64_t i, const auto& look) {
    const auto place = static_cast<size_t>(i - begin);
    try {
      look(samples[place]);
    } catch (const UserError& problem) {
      problems[place] = problem.what();
    }
  };
  for_each(begin, end, one_by_one, [&](int64_t i) { noting(i, [&](Sample& at) { at = sample(i); }); });
  // A bad sample has no pictures.
  for_each(begin, end, false,
           [&](int64_t i) { noting(i, [decode](const Sample& at) { look_at_pictures(at, decode); }); });
  return problems;
}

}  // namespace

CheckedSamples check_samples(const CheckOptions& options, int64_t count, const SampleSource& sample) {
  CheckedSamples checked;
  std::vector<std::string> problems;
  const int64_t step = std::max<int64_t>(1, count / options.at_most);
  for (int64_t i = 0; i < count; i += step) {
    try {
      const Sample found = sample(i);
      look_at_pictures(found, /*decode=*/false);
      add_sample(checked, found, options.tokens_per_picture);
    } catch (const UserError& problem) {
      problems.emplace_back(problem.what());
    }
  }
  require_sound(options, checked.sound, problems);
  return checked;
}

void look_at_samples(const CheckOptions& options, const Scrutiny& scrutiny, int64_t count,
                     const SampleSource& sample) {
  const auto wanted = static_cast<int64_t>(std::ceil(scrutiny.share * static_cast<double>(count)));
  const auto spread = [&](int64_t i) { return sample(i * count / wanted); };
  std::vector<std::string> problems;
  Progress progress(options.stage + ": looking at", wanted, "samples");
  for (int64_t begin = 0; begin < wanted; begin += kChunk) {
    if (stop_requested()) throw Stopped("the dry run was stopped");
    const int64_t end = std::min(wanted, begin + kChunk);
    for (std::string& problem : look_at_chunk(begin, end, options.one_by_one, scrutiny.decode, spread)) {
      if (!problem.empty()) problems.push_back(std::move(problem));
    }
    progress.update(end);
  }
  require_sound(options, wanted - static_cast<int64_t>(problems.size()), problems);
}

}  // namespace qslaw
