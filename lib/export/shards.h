// A folder of safetensors files as Hugging Face lays them out.
#pragma once
#include <filesystem>
#include <vector>

#include "io/safetensors.h"

namespace qslaw {

/// model.safetensors, or model-0000i-of-0000n.safetensors of at most `max_shard_bytes` of data each (a larger
/// tensor has a file of its own) and model.safetensors.index.json. One tensor is in memory at a time.
void write_shards(const std::filesystem::path& folder, const std::vector<StreamedTensor>& tensors,
                  int64_t max_shard_bytes);

/// Reads the headers of what write_shards left. UserError naming the tensor that is missing or not as
/// planned.
void verify_shards(const std::filesystem::path& folder, const std::vector<StreamedTensor>& tensors);

}  // namespace qslaw
