// Finds where a forward pass breaks.
#pragma once
#include <string>

#include "data/batch.h"
#include "model/llava.h"

namespace qslaw {

/// Name of the first place in the forward pass whose output is not finite, or "" when all are.
std::string find_nonfinite(const Llava& model, const Batch& batch);

}  // namespace qslaw
