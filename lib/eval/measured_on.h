// What decides whether a benchmark's numbers of two runs may be compared.
#pragma once
#include <nlohmann/json.hpp>

#include "eval/benchmark.h"

namespace qslaw {

/// The key of a benchmark's results that holds measured_on.
inline constexpr const char* kMeasuredOn = "measured_on";

/// Everything but the model that decides the benchmark's numbers: a hash of its data files' content, and the
/// options that select samples, ask and decode, as far as its kind uses them.
nlohmann::json measured_on(const BenchmarkOptions& options, const EvalContext& context);

}  // namespace qslaw
