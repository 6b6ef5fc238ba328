// Where a training run stands: what a checkpoint holds beside the tensors.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw {

/// Where a run stands; with the run's fingerprint it is a checkpoint's state.json.
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

  nlohmann::json to_json(const std::string& fingerprint) const;
  static Position from_json(const nlohmann::json& state);
};

}  // namespace qslaw
