#include "train/position.h"

namespace qslaw {

nlohmann::json Position::to_json(const std::string& fingerprint) const {
  return {{"format", 1},
          {"fingerprint", fingerprint},
          {"step", step},
          {"phase", phase},
          {"phase_step", phase_step},
          {"skipped", skipped},
          {"seconds", seconds},
          {"tokens", tokens},
          {"peak_host_bytes", peak_host_bytes},
          {"first_loss", first_loss},
          {"last_loss", last_loss},
          {"measuring", measuring},
          {"heldout_before", heldout_before},
          {"initial_hashes", initial_hashes}};
}

Position Position::from_json(const nlohmann::json& state) {
  Position position;
  position.step = state.at("step");
  position.phase = state.at("phase");
  position.phase_step = state.at("phase_step");
  position.skipped = state.at("skipped");
  position.seconds = state.at("seconds");
  position.tokens = state.at("tokens");
  position.peak_host_bytes = state.at("peak_host_bytes");
  position.first_loss = state.at("first_loss");
  position.last_loss = state.at("last_loss");
  position.measuring = state.at("measuring");
  position.heldout_before = state.at("heldout_before");
  position.initial_hashes = state.at("initial_hashes");
  return position;
}

}  // namespace qslaw
