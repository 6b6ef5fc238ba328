#include "export/shards.h"

#include <ATen/ATen.h>

#include <iomanip>

#include "core/error.h"
#include "io/dtypes.h"
#include "io/json.h"
#include "io/weight_folder.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using Shard = std::vector<StreamedTensor>;

size_t total_bytes(const std::vector<StreamedTensor>& tensors) {
  size_t bytes = 0;
  for (const auto& tensor : tensors)
    bytes += tensor.bytes();
  return bytes;
}

std::vector<Shard> split(const std::vector<StreamedTensor>& tensors, size_t max_bytes) {
  std::vector<Shard> shards(1);
  size_t filled = 0;
  for (const auto& tensor : tensors) {
    if (!shards.back().empty() && filled + tensor.bytes() > max_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(tensor);
    filled += tensor.bytes();
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  std::ostringstream name;
  name << std::setfill('0') << "model-" << std::setw(5) << index + 1 << "-of-" << std::setw(5) << count
       << ".safetensors";
  return name.str();
}

}  // namespace

void write_shards(const fs::path& folder, const std::vector<StreamedTensor>& tensors,
                  int64_t max_shard_bytes) {
  const auto shards = split(tensors, static_cast<size_t>(max_shard_bytes));
  if (shards.size() == 1) return write_safetensors(folder / "model.safetensors", shards[0]);
  nlohmann::json index = {{"metadata", {{"total_size", total_bytes(tensors)}}},
                          {"weight_map", nlohmann::json::object()}};
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = shard_name(i, shards.size());
    write_safetensors(folder / file, shards[i]);
    for (const auto& tensor : shards[i])
      index["weight_map"][tensor.name] = file;
  }
  write_json(folder / "model.safetensors.index.json", index);
}

void verify_shards(const fs::path& folder, const std::vector<StreamedTensor>& tensors) {
  WeightFolder written = WeightFolder::open(folder);
  for (const auto& planned : tensors) {
    const at::Tensor found = written.take(planned.name, planned.shape);
    require(found.scalar_type() == planned.dtype && found.nbytes() == planned.bytes(), "export", "tensor ",
            planned.name, " in ", folder.string(), ": expected ", planned.bytes(), " bytes of ",
            dtype_name(planned.dtype), ", got ", found.nbytes(), " of ", dtype_name(found.scalar_type()));
  }
  written.require_all_taken();
}

}  // namespace qslaw
