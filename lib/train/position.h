// Where a training run stands: what a checkpoint holds beside the tensors.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

namespace qslaw {

/// With the run's fingerprint and a format number it is a checkpoint's state.json.
struct Position {
  int64_t step = 0;  // optimizer steps over all phases
  size_t phase = 0;
  int64_t phase_step = 0;  // steps done in the phase
  int64_t skipped = 0;
  double seconds = 0.0;  // spent by processes that ended at this checkpoint
  int64_t tokens = 0;
  int64_t peak_host_bytes = 0;  // of the same processes
  double first_loss = 0.0;
  double last_loss = 0.0;
  bool measuring = false;  // stopped within the held-out measurement that belongs to this step
  nlohmann::json heldout_before;
  nlohmann::json initial_hashes = nlohmann::json::object();
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Position, step, phase, phase_step, skipped, seconds, tokens,
                                   peak_host_bytes, first_loss, last_loss, measuring, heldout_before,
                                   initial_hashes)

}  // namespace qslaw
