// Where a training run stands: what a checkpoint holds beside the tensors.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

namespace qslaw {

/// Different samples, each by the number of its data set and its own. Phases whose data sets have the same
/// fingerprint have the same numbers.
using SampleSet = std::set<std::pair<size_t, int64_t>>;

struct Position {
  int64_t step = 0;  // optimizer steps over all phases
  size_t phase = 0;
  int64_t phase_step = 0;                // steps done in the phase
  SampleSet skipped, skipped_long, cut;  // as the loader notes them
  bool saw_pictures = false;             // some sample had one
  double seconds = 0.0;                  // spent by processes that ended at this checkpoint
  int64_t tokens = 0;
  int64_t peak_host_bytes = 0;  // of the same processes
  double first_loss = 0.0;
  double last_loss = 0.0;
  bool measuring = false;  // stopped within the held-out measurement that belongs to this step
  nlohmann::json heldout_before;
  std::map<std::string, std::string> initial_hashes;  // of the trained tensors, by name
};

/// A checkpoint's state.json.
struct RunState {
  Position position;
  std::string fingerprint;  // of recipe and data
};

nlohmann::json state_json(const RunState& state);

/// The state that `checkpoint` was saved with. UserError naming the file when it was written in another
/// format, is damaged, or holds no such state.
RunState read_state(const std::filesystem::path& checkpoint);

}  // namespace qslaw
