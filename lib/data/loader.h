// Decodes and encodes samples ahead of time on worker threads; results come in the plan's order whatever the
// threads do.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "data/batch.h"
#include "data/image_transform.h"
#include "data/plan.h"

namespace qslaw {

struct LoaderOptions {
  int threads = 2;
  int64_t ahead = 64;  // samples prepared before they are asked for
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
  // Of skipped samples. Training wants as many samples as it planned; a measurement must count none twice.
  bool replace_skipped = true;
};

/// Samples that were not used as their file has them. One that was drawn again stands there again.
struct NotedSamples {
  std::vector<Draw> skipped;       // replaced or left out, bad ones and long ones
  std::vector<Draw> skipped_long;  // of these, long ones (LongSample)
  std::vector<Draw> cut;           // longer than their data set's max_length
};

class Loader {
 public:
  /// Delivers plan[start], plan[start + 1], ... The data sets are not owned and outlive the loader.
  Loader(std::vector<const Dataset*> sources, std::vector<Draw> plan, int64_t start, ImageTransform transform,
         LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next `count` samples of the plan (fewer at its end). A bad or long sample that is skipped
  /// (is_skipped) is noted and logged, and replaced by the next good one of the same source in index order,
  /// or left out unless `replace_skipped`; otherwise its UserError is thrown here, and again by every later
  /// call. Samples that were cut are noted, the first is logged; so is
  /// the first that lost a first turn, and the first with an empty answer.
  std::vector<LoadedSample> next(int64_t count);

  /// Of the plan, where the next `next` begins.
  int64_t position() const;
  /// What `next` met since the last call.
  NotedSamples take_noted();
  /// Seconds that `next` waited for the workers.
  double waited_s() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qslaw
