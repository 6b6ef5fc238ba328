#include "quant/block_store.h"

#include "core/error.h"
#include "core/files.h"
#include "core/one_line.h"
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
  nlohmann::json report = read_json(file(layer, ".json"));
  const bool is_whole = report.is_object() && report.contains("block") && report["block"].is_object() &&
                        report.contains("layers") && report["layers"].is_array();
  require(is_whole, "resume", "expected {\"layers\": [...], \"block\": {...}} of a finished block, got ",
          one_line(report.dump()), "; start over with --restart (", file(layer, ".json").string(), ")");
  return {read_packed_language(file(layer, ".safetensors"), specs), std::move(report)};
}

}  // namespace qslaw
