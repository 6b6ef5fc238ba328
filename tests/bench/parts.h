// The parts of qslaw_bench. Each reports its results and targets on the way.
#pragma once
#include "bench/measure.h"
#include "bench/report.h"

namespace qslaw::bench {

/// Kernels that memory bounds, at the shapes of 7B and 13B, beside a copy.
void kernel_part(const Setting& setting, Report& report);

/// Products with packed weights beside those with bfloat16 weights (cuBLAS on a GPU), forward and for the
/// gradient of the input.
void product_part(const Setting& setting, Report& report);

/// New tokens a second with packed and with bfloat16 weights, for one text and for several at once.
void decode_part(const Setting& setting, Report& report, const std::string& model);

/// Training steps of one micro-batch: LoRA on packed and on bfloat16 weights, scale learning, full tuning.
void tune_part(const Setting& setting, Report& report, const std::string& model);

}  // namespace qslaw::bench
