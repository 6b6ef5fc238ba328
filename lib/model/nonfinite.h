// Finds where a forward pass breaks.
#pragma once
#include <string>

#include "data/batch.h"
#include "model/llava.h"

namespace qslaw {

/// Name of the first place in the forward pass whose output is not finite, or "" when all are.
std::string find_nonfinite(const Llava& model, const Batch& batch);

/// Throws the UserError for the `what` ("logits", ...) of the batch's row `row`, with the sample's id and the
/// first place.
[[noreturn]] void fail_nonfinite(const std::string& what, const Llava& model, const Batch& batch, size_t row);

}  // namespace qslaw
