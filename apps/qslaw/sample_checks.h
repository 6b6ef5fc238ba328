// Looks at samples without computing: encodes them and reads the headers of their pictures.
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
  int64_t at_most = 500;  // about so many samples are looked at, evenly spread
};

/// Of the sound ones among the samples looked at; tokens with pictures expanded.
struct CheckedSamples {
  int64_t sound = 0;
  int64_t longest = 0;
  double mean_tokens = 0.0;
  double mean_learned = 0.0;
};

/// Looks at samples 0..count-1 of `sample`, which throws UserError for a bad one. Bad ones are logged;
/// UserError with the first of them unless they are skipped and some are sound.
CheckedSamples check_samples(const CheckOptions& options, int64_t count,
                             const std::function<Sample(int64_t)>& sample);

/// The same with a whole data set. UserError also when it is empty.
void check_dataset(const std::string& stage, const DataOptions& options, const Dataset& dataset,
                   const EncodingContext& context);

}  // namespace qslaw
