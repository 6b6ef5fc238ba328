// What a stage's memory goes to and the recipe's keys that lower it, for messages.
#pragma once
#include <string>
#include <vector>

#include "recipe/estimate.h"

namespace qslaw {

/// A part of a stage's estimate and the keys that make it smaller ("tune.lora.rank, ..."). No keys: nothing
/// in the recipe does.
struct MemoryPart {
  std::string name;
  int64_t bytes = 0;
  std::string keys;
};

/// The one to begin with first: mostly the largest. Two, of a stage that trains three.
std::vector<MemoryPart> memory_parts(const Recipe& recipe, const std::string& stage,
                                     const StageEstimate& estimate);

/// Those of the first part that has keys; "" when none has.
std::string keys_that_lower(const Recipe& recipe, const std::string& stage, const StageEstimate& estimate);

}  // namespace qslaw
