#include "train/position.h"

#include "core/error.h"
#include "train/checkpoint.h"

using nlohmann::json;

namespace qslaw {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Position, step, phase, phase_step, skipped, seconds, tokens,
                                   peak_host_bytes, first_loss, last_loss, measuring, heldout_before,
                                   initial_hashes)

namespace {

// Raised whenever a key changes its meaning or is no longer there.
constexpr int kFormat = 1;

void require_format(const json& state, const std::string& file) {
  const json found = state.is_object() ? state.value("format", json()) : json();
  require(found == kFormat, "resume", "expected a checkpoint of format ", kFormat, ", got ",
          found.is_null() ? "none" : found.dump(), "; go on with the version that wrote it, or start over ",
          "with --restart (", file, ")");
}

// Without the "[json.exception....] " in front.
std::string reason_of(const json::exception& problem) {
  const std::string what = problem.what();
  const size_t end = what.find("] ");
  return end == std::string::npos ? what : what.substr(end + 2);
}

}  // namespace

json state_json(const RunState& state) {
  json out = state.position;
  out["format"] = kFormat;
  out["fingerprint"] = state.fingerprint;
  return out;
}

RunState read_state(const std::filesystem::path& checkpoint) {
  const std::string file = state_file(checkpoint).string();
  const json state = checkpoint_state(checkpoint);
  require_format(state, file);
  try {
    return {state.get<Position>(), state.at("fingerprint").get<std::string>()};
  } catch (const json::exception& problem) {
    fail("resume", "expected the state of a training run, got a damaged one: ", reason_of(problem), " (",
         file, ")");
  }
}

}  // namespace qslaw
