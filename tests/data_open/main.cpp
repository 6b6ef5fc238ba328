// qslaw_data_open FILE TOKENIZER: opens an instruction file as training does and counts its samples' words as
// grouping them by length does, then shuffles and groups an epoch and takes one rank's share of it; the
// seconds of each as one JSON object, for scripts/bench/data_open.sh.
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/stopwatch.h"
#include "data/dataset.h"
#include "data/plan.h"
#include "tool_main.h"

using namespace qslaw;

namespace {

// LLaVA-1.5's tuning: 8 processes with 16 samples each per step.
constexpr StepShape kStep{16, 8};

int run(const std::vector<std::string>& arguments) {
  require(arguments.size() == 2, "arguments", "expected FILE TOKENIZER, got ", arguments.size());
  const Tokenizer tokenizer = Tokenizer::load(arguments[1]);
  DataOptions options;
  options.kind = "llava";
  options.path = arguments[0];
  const Stopwatch opening;
  const auto dataset = make_dataset(options, {&tokenizer});
  const double open = opening.seconds();
  const Stopwatch weighing;
  const auto lengths = dataset->modality_lengths();
  const double weigh = weighing.seconds();
  const Stopwatch planning;
  const auto share =
      rank_share(plan_grouped(lengths, std::ssize(lengths), kStep, 1), kStep, 0, kStep.micro_batches);
  std::cout << nlohmann::json({{"seconds", open},
                               {"lengths_seconds", weigh},
                               {"plan_seconds", planning.seconds()},
                               {"share", share.size()},
                               {"samples", lengths.size()}})
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool_main(argc, argv, run);
}
