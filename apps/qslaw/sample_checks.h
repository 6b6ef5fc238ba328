// Looks at samples without computing: encodes them, and reads the headers of their pictures or all of them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "data/dataset.h"

namespace qslaw {

struct CheckOptions {
  std::string stage;               // in messages
  int64_t tokens_per_picture = 0;  // that a placeholder expands to
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
  int64_t at_most = 500;    // check_samples: about so many are looked at, evenly spread
  bool log_bad = true;      // false where they are named elsewhere
  bool one_by_one = false;  // samples are asked for on one thread, in order
  // check_samples: whether the first of two samples comes before the second; none: by their numbers.
  std::function<bool(int64_t, int64_t)> before = {};
  std::string counted = "samples";  // what there are so many of
  std::string length_limit = {};    // what longer samples are told to exceed: "max_length 2048"
};

/// Of the sound ones among the samples looked at; tokens with pictures expanded.
struct CheckedSamples {
  int64_t sound = 0;
  int64_t longest = 0;
  double mean_tokens = 0.0;
  double mean_learned = 0.0;
  bool has_pictures = false;
};

/// Gives a sample by its number, or throws UserError for a bad one.
using SampleSource = std::function<Sample(int64_t)>;

/// Looks at samples 0..count-1. Bad ones are logged, once each and the first 20, and how many are longer than
/// allowed, begin with a turn that is left out, have an empty answer or "<image>" as text, and what share of
/// them was looked at where it is not all; UserError with the first bad one unless they are skipped and some
/// are sound.
CheckedSamples check_samples(const CheckOptions& options, int64_t count, const SampleSource& sample);

/// How closely, and at how many: 0 < share <= 1, evenly spread.
struct Scrutiny {
  double share = 1.0;
  bool decode = true;  // pictures whole, not their headers alone
};

/// The same for that share of the samples, on all threads and with progress. What is said does not depend on
/// their number. Throws Stopped when a stop was asked for. REQUIRES: `sample` is thread safe unless it is
/// asked one by one.
void look_at_samples(const CheckOptions& options, const Scrutiny& scrutiny, int64_t count,
                     const SampleSource& sample);

}  // namespace qslaw
