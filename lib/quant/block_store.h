// Finished decoder blocks of a method that goes block by block, so that a stopped run can go on.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "quant/packed_weight.h"

namespace qslaw {

/// One decoder block: its packed linears and what is reported of it.
struct FinishedBlock {
  PackedLanguage linears;
  nlohmann::json report;
};

/// A folder with two files per block; the second one's presence says that the first is whole.
class BlockStore {
 public:
  /// An empty path keeps nothing. The folder is made with the first block.
  explicit BlockStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool has(int64_t layer) const;
  void save(int64_t layer, const FinishedBlock& block) const;
  /// UserError when the files do not hold `specs`, the block's linears. REQUIRES: has(layer).
  FinishedBlock load(int64_t layer, const std::vector<LinearSpec>& specs) const;

 private:
  std::filesystem::path file(int64_t layer, const char* ending) const;
  std::filesystem::path folder_;
};

}  // namespace qslaw
