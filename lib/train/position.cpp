#include "train/position.h"

#include <algorithm>

#include "core/error.h"
#include "core/one_line.h"
#include "train/checkpoint.h"

using nlohmann::json;

namespace qslaw {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Position, step, phase, phase_step, skipped, skipped_long, cut,
                                   saw_pictures, seconds, tokens, peak_host_bytes, first_loss, last_loss,
                                   measuring, heldout_before, initial_hashes)

namespace {

// Raised whenever a key changes its meaning or is no longer there.
constexpr int kFormat = 2;

void require_format(const json& state, const std::string& file) {
  const json found = state.is_object() ? state.value("format", json()) : json();
  require(found == kFormat, "resume", "expected a checkpoint of format ", kFormat, ", got ",
          found.is_null() ? "none" : found.dump(), "; go on with the version that wrote it, or start over ",
          "with --restart (", file, ")");
}

// A pair of numbers, as a SampleSet holds them.
bool is_sample(const json& value) {
  return value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
         value[1].is_number_unsigned();
}

// What a key of state.json must hold, by the value that a new run has there; null: anything.
bool is_like(const json& value, const json& example) {
  if (example.is_number_float()) return value.is_number();
  if (example.is_number()) return value.is_number_unsigned();
  if (example.is_object())
    return value.is_object() &&
           std::all_of(value.begin(), value.end(), [](const json& v) { return v.is_string(); });
  if (example.is_array()) return value.is_array() && std::all_of(value.begin(), value.end(), is_sample);
  return example.is_null() || value.type() == example.type();
}

std::string kind_of(const json& example) {
  if (example.is_number_float()) return "a number";
  if (example.is_number()) return "a whole number from 0";
  if (example.is_object()) return "an object of texts";
  if (example.is_array()) return "a list of pairs of whole numbers";
  return example.is_boolean() ? "true or false" : "a text";
}

// nlohmann's own words for a wrong type speak of neither the key nor the file.
void require_like(const json& state, const std::string& key, const json& example, const std::string& file) {
  require(state.contains(key), "resume", "expected the key ", key, ", got none (", file, ")");
  require(is_like(state[key], example), "resume", "expected ", kind_of(example), ", got ",
          one_line(state[key].dump()), " (", file, ", key ", key, ")");
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
  const json examples = state_json({});
  for (const auto& [key, example] : examples.items())
    require_like(state, key, example, file);
  return {state.get<Position>(), state["fingerprint"].get<std::string>()};
}

}  // namespace qslaw
