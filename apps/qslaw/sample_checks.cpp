#include "sample_checks.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "io/image.h"

namespace qslaw {
namespace {

constexpr size_t kShownProblems = 20;

void add_to_mean(double& mean, int64_t count, double value) {
  mean += (value - mean) / static_cast<double>(count);
}

void check_pictures(const Sample& sample) {
  try {
    for (const auto& picture : sample.pictures)
      check_image_header(picture);
  } catch (const UserError& problem) {  // a picture only knows its path
    throw UserError(concat(problem.what(), " (sample ", sample.id, ")"));
  }
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

void require_sound(const CheckOptions& options, int64_t sound, const std::vector<std::string>& problems) {
  for (size_t i = 0; i < std::min(problems.size(), kShownProblems); ++i)
    log_warning(problems[i]);
  if (problems.size() > kShownProblems)
    log_warning(concat("... and ", problems.size() - kShownProblems, " more"));
  if (problems.empty() || (options.on_bad_sample == BadSamplePolicy::skip && sound > 0)) return;
  fail(options.stage, "expected ", sound > 0 ? "sound samples" : "a sound sample", ", got ", problems.size(),
       " bad among ", problems.size() + static_cast<size_t>(sound), " checked, first: ", problems.front());
}

}  // namespace

CheckedSamples check_samples(const CheckOptions& options, int64_t count,
                             const std::function<Sample(int64_t)>& sample) {
  CheckedSamples checked;
  std::vector<std::string> problems;
  const int64_t step = std::max<int64_t>(1, count / options.at_most);
  for (int64_t i = 0; i < count; i += step) {
    try {
      const Sample found = sample(i);
      check_pictures(found);
      add_sample(checked, found, options.tokens_per_picture);
    } catch (const UserError& problem) {
      problems.emplace_back(problem.what());
    }
  }
  require_sound(options, checked.sound, problems);
  return checked;
}

void check_dataset(const std::string& stage, const DataOptions& options, const Dataset& dataset,
                   const EncodingContext& context) {
  const auto& path = options.path.empty() ? options.problems : options.path;
  require(dataset.size() > 0, "data", "expected samples in ", path.string(), ", got none");
  check_samples({stage, context.tokens_per_picture, options.on_bad_sample}, dataset.size(),
                [&](int64_t i) { return dataset.at(i); });
}

}  // namespace qslaw
