// qslaw_pictures FILE IMAGES TOKENIZER pad|square THREADS BATCH: loads the pictures of an instruction file as
// training does, in micro-batches; seconds and number of pictures as one JSON object, for
// scripts/bench/pictures.sh. "mean", of the first micro-batch, tells whether a peer made the same of them.
#include <ATen/ATen.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/stopwatch.h"
#include "data/loader.h"
#include "tool_main.h"

using namespace qslaw;

namespace {

constexpr int64_t kTokensPerPicture = 576;

AspectMode mode_of(const std::string& name) {
  require(name == "pad" || name == "square", "arguments", "expected pad or square, got ", name);
  return name == "pad" ? AspectMode::pad : AspectMode::square;
}

/// The micro-batches of samples 0 to `count` - 1.
template <typename Use>
void for_each_batch(const Dataset& dataset, int64_t count, const ImageTransform& transform, int threads,
                    int64_t batch, const Use& use) {
  std::vector<Draw> plan;
  for (int64_t i = 0; i < count; ++i)
    plan.push_back({0, i});
  Loader loader({&dataset}, plan, 0, transform, {.threads = threads, .ahead = 2 * batch});
  for (auto samples = loader.next(batch); !samples.empty(); samples = loader.next(batch))
    use(collate(samples, kTokensPerPicture, 0));
}

int run(const std::vector<std::string>& arguments) {
  require(arguments.size() == 6, "arguments", "expected FILE IMAGES TOKENIZER MODE THREADS BATCH, got ",
          arguments.size());
  const Tokenizer tokenizer = Tokenizer::load(arguments[2]);
  const ImageTransform transform{.mode = mode_of(arguments[3])};
  const int threads = std::stoi(arguments[4]);
  const int64_t batch = std::stoll(arguments[5]);
  DataOptions options;
  options.kind = "llava";
  options.path = arguments[0];
  options.images = arguments[1];
  const auto dataset = make_dataset(options, {.tokenizer = &tokenizer});
  double mean = 0;
  for_each_batch(*dataset, std::min(batch, dataset->size()), transform, threads, batch,
                 [&](const Batch& first) { mean = first.pixels_N3SS.mean().item<double>(); });
  int64_t pictures = 0;
  const Stopwatch stopwatch;
  for_each_batch(*dataset, dataset->size(), transform, threads, batch,
                 [&](const Batch& loaded) { pictures += loaded.pixels_N3SS.size(0); });
  const double seconds = stopwatch.seconds();
  std::cout << nlohmann::json({{"seconds", seconds}, {"pictures", pictures}, {"mean", mean}}) << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool_main(argc, argv, run);
}
