// Lines of metrics.jsonl as training writes them.
#pragma once
#include <nlohmann/json.hpp>

namespace qslaw {

/// A step's; `loss` may be null.
inline nlohmann::json step_line(int number, int phase, const nlohmann::json& loss) {
  return {{"step", number}, {"phase", phase}, {"loss", loss}};
}

}  // namespace qslaw
