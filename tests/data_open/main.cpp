// qslaw_data_open FILE TOKENIZER: opens an instruction file as training does and counts its samples' words as
// grouping them by length does, then shuffles and groups an epoch and takes one rank's share of it; the
// seconds of each as one JSON object, for scripts/bench/data_open.sh.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/dataset.h"
#include "data/plan.h"
#include "tool_main.h"

using namespace qslaw;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// LLaVA-1.5's tuning: 8 processes with 16 samples each per step.
constexpr StepShape kStep{16, 8};

int run(const std::vector<std::string>& arguments) {
  require(arguments.size() == 2, "arguments", "expected FILE TOKENIZER, got ", arguments.size());
  const Tokenizer tokenizer = Tokenizer::load(arguments[1]);
  DataOptions options;
  options.kind = "llava";
  options.path = arguments[0];
  const Clock::time_point began = Clock::now();
  const auto dataset = make_dataset(options, {&tokenizer});
  const double open = seconds_since(began);
  const Clock::time_point opened = Clock::now();
  const auto lengths = dataset->modality_lengths();
  const double weigh = seconds_since(opened);
  const Clock::time_point weighed = Clock::now();
  const auto share =
      rank_share(plan_grouped(lengths, std::ssize(lengths), kStep, 1), kStep, 0, kStep.micro_batches);
  std::cout << nlohmann::json({{"seconds", open},
                               {"lengths_seconds", weigh},
                               {"plan_seconds", seconds_since(weighed)},
                               {"share", share.size()},
                               {"samples", lengths.size()}})
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool_main(argc, argv, run);
}
