#include "quant/block_store.h"

#include "core/error.h"
#include "core/files.h"
#include "io/json.h"

namespace qslaw {

std::filesystem::path BlockStore::file(int64_t layer, const char* ending) const {
  return folder_ / concat("block-", layer, ending);
}

bool BlockStore::has(int64_t layer) const {
  return !folder_.empty() && std::filesystem::exists(file(layer, ".json"));
}

void BlockStore::save(int64_t layer, const FinishedBlock& block) const {
  if (folder_.empty()) return;
  make_folder(folder_);
  write_packed_language(file(layer, ".safetensors"), block.linears);
  write_json(file(layer, ".json"), block.report);
}

FinishedBlock BlockStore::load(int64_t layer, const std::vector<LinearSpec>& specs) const {
  return {read_packed_language(file(layer, ".safetensors"), specs), read_json(file(layer, ".json"))};
}

}  // namespace qslaw
