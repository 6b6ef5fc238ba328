// What a stage will write, from sizes alone: for `--dry-run` and before a run begins.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recipe/estimate.h"

namespace qslaw {

/// Bytes of weights; texts and predictions are small beside them.
struct DiskEstimate {
  int64_t results = 0;      // what stays
  int64_t checkpoints = 0;  // what lies beside it while the stage works, at most
};

/// Of one stage, `memory` being its estimate_stage; `brought` as there. REQUIRES: the recipe has that
/// section.
DiskEstimate estimate_disk(const Recipe& recipe, const std::string& stage, const LlavaConfig& config,
                           const StageEstimate& memory, const std::optional<PackedLinears>& brought = {});

/// The most that stages take which are done one after another.
int64_t most_disk(const std::vector<DiskEstimate>& stages);

}  // namespace qslaw
