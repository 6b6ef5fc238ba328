// Finished decoder blocks of a method that goes block by block, and what the next one sees, so that a stopped
// run can go on.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quant/packed_weight.h"

namespace qslaw {

/// One decoder block: its packed linears and what is reported of it.
struct FinishedBlock {
  PackedLanguage linears;
  nlohmann::json report;
};

/// The hidden states in front of a decoder block, calibration batch by calibration batch, [B, T, D]: through
/// full-precision and through quantized blocks.
struct BlockInputs {
  std::vector<at::Tensor> full_BTD;
  std::vector<at::Tensor> quantized_BTD;
};

/// A folder with two files per block; the second one's presence says that the first is whole. Beside them,
/// one file with the inputs of the block that comes next. Every file appears whole.
class BlockStore {
 public:
  /// An empty path keeps nothing. The folder is made with the first block.
  explicit BlockStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool has(int64_t layer) const;
  void save(int64_t layer, const FinishedBlock& block) const;
  /// UserError when the files do not hold `specs`, the block's linears. REQUIRES: has(layer).
  FinishedBlock load(int64_t layer, const std::vector<LinearSpec>& specs) const;

  /// Blocks from the first one on that are finished, of `layers`.
  int64_t finished(int64_t layers) const;
  /// Where a run goes on: at the first block that is not finished or, where the inputs of that one are not
  /// there, at the last one before it whose inputs are; 0, whose inputs are embeddings, where none are.
  int64_t first_to_pass(int64_t layers) const;

  /// Keeps the inputs of a block, and then removes those of the others. REQUIRES: layer > 0.
  void save_inputs(int64_t layer, const BlockInputs& inputs) const;
  /// Removes the inputs of other blocks and what a kill has left of them: a run that goes on has two copies
  /// at most, those it began with and those it writes. 0, whose inputs are embeddings: all.
  void keep_only_inputs(int64_t layer) const;
  /// Copies on `device`. Nothing, with a warning, when the file is damaged: the blocks in front of it are as
  /// good as before. UserError unless they are of so many batches. REQUIRES: they are kept.
  std::optional<BlockInputs> load_inputs(int64_t layer, size_t batches, at::Device device) const;

  /// Adds to a finished block's second file how long it took; a later load's report has it as "seconds".
  /// REQUIRES: has(layer).
  void note_seconds(int64_t layer, double seconds) const;
  /// Of the finished blocks that say it, of `layers`.
  std::vector<double> seconds(int64_t layers) const;

 private:
  std::filesystem::path file(int64_t layer, const char* ending) const;
  std::filesystem::path inputs_file(int64_t layer) const;
  std::filesystem::path folder_;
};

}  // namespace qslaw
