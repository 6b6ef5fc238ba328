// Checkpoints of a training run: `checkpoint-<step>/` with trainable tensors, optimizer state and position. A
// folder appears whole (written under another name, synced, renamed); the newest one counts, older ones are
// removed afterward.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "kernels/adamw.h"
#include "train/parameters.h"

namespace qslaw {

/// The newest checkpoint folder below `folder`, if any. Changes nothing: a dry run looks too, and another
/// process may be writing. What a killed write left goes with the next save_checkpoint.
std::optional<std::filesystem::path> find_checkpoint(const std::filesystem::path& folder);

/// Where a stage that goes block by block keeps its finished blocks (quant/block_store.h); removed with the
/// checkpoints.
std::filesystem::path block_checkpoint(const std::filesystem::path& folder);

/// Where `eval` keeps what finished batches gave (eval/batch_store.h); removed with the checkpoints.
std::filesystem::path answer_checkpoint(const std::filesystem::path& folder);

/// Whether the unfinished run in `folder` has something to lose: a finished step, block or batch.
/// The checkpoint of step 0 is none: it is there so that a disk that cannot be written shows up early.
bool has_progress(const std::filesystem::path& folder);

/// Writes `folder`/checkpoint-<step>, removes older ones and returns it. optimizers[i] belongs to groups[i].
std::filesystem::path save_checkpoint(const std::filesystem::path& folder, int64_t step,
                                      const std::vector<ParameterGroup>& groups,
                                      std::vector<AdamW>& optimizers, const nlohmann::json& state);

/// The file in a checkpoint that holds its state.
std::filesystem::path state_file(const std::filesystem::path& checkpoint);

/// The state that a checkpoint was saved with.
nlohmann::json checkpoint_state(const std::filesystem::path& checkpoint);

/// Restores tensors and optimizer state in place and returns the state. UserError when a tensor is missing,
/// extra, or of another shape.
nlohmann::json load_checkpoint(const std::filesystem::path& checkpoint,
                               const std::vector<ParameterGroup>& groups, std::vector<AdamW>& optimizers);

/// Removes every checkpoint below `folder` (once the stage's report is written).
void remove_checkpoints(const std::filesystem::path& folder);

}  // namespace qslaw
