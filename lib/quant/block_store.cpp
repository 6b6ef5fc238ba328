#include "quant/block_store.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "core/one_line.h"
#include "io/json.h"
#include "io/tensor_file.h"
#include "report/number_text.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

const char* const kSeconds = "seconds";
const char* const kInputs = "inputs-";

std::string full_name(size_t batch) {
  return concat("full.", batch);
}
std::string quantized_name(size_t batch) {
  return concat("quantized.", batch);
}

}  // namespace

fs::path BlockStore::file(int64_t layer, const char* ending) const {
  return folder_ / concat("block-", layer, ending);
}

fs::path BlockStore::inputs_file(int64_t layer) const {
  return folder_ / concat(kInputs, layer, ".safetensors");
}

bool BlockStore::has(int64_t layer) const {
  return !folder_.empty() && fs::exists(file(layer, ".json"));
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

int64_t BlockStore::finished(int64_t layers) const {
  int64_t count = 0;
  while (count < layers && has(count))
    ++count;
  return count;
}

int64_t BlockStore::first_to_pass(int64_t layers) const {
  int64_t layer = finished(layers);
  if (layer == layers) return layers;
  while (layer > 0 && !fs::exists(inputs_file(layer)))
    --layer;
  return layer;
}

void BlockStore::save_inputs(int64_t layer, const BlockInputs& inputs) const {
  if (folder_.empty()) return;
  NamedTensors tensors;
  for (size_t i = 0; i < inputs.full_BTD.size(); ++i) {
    tensors.emplace_back(full_name(i), inputs.full_BTD[i]);
    tensors.emplace_back(quantized_name(i), inputs.quantized_BTD[i]);
  }
  make_folder(folder_);
  write_safetensors(inputs_file(layer), tensors);
  keep_only_inputs(layer);
}

void BlockStore::keep_only_inputs(int64_t layer) const {
  if (folder_.empty() || !fs::exists(folder_)) return;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const bool holds_inputs = entry.path().filename().string().starts_with(kInputs);
    if (holds_inputs && entry.path() != inputs_file(layer)) others.push_back(entry.path());
  }
  for (const fs::path& other : others)
    fs::remove(other);
}

std::optional<BlockInputs> BlockStore::load_inputs(int64_t layer, size_t batches, at::Device device) const {
  BlockInputs inputs;
  try {
    const SafetensorsFile file(inputs_file(layer));
    // Into memory of its own: the file is removed behind the next block.
    const auto read = [&](const std::string& name) {
      const at::Tensor mapped = file.tensor(name);
      return copy_from_file(mapped, device, mapped.scalar_type());
    };
    for (size_t i = 0; i < file.entries().size() / 2; ++i) {
      inputs.full_BTD.push_back(read(full_name(i)));
      inputs.quantized_BTD.push_back(read(quantized_name(i)));
    }
  } catch (const UserError& damage) {
    log_warning(concat("the finished blocks are passed again, as the inputs of block ", layer,
                       " cannot be read: ", damage.what()));
    return std::nullopt;
  }
  require(inputs.full_BTD.size() == batches, "resume", "expected the hidden states of ", batches,
          " calibration batches, got those of ", inputs.full_BTD.size(), "; start over with --restart (",
          inputs_file(layer).string(), ")");
  return inputs;
}

void BlockStore::note_seconds(int64_t layer, double seconds) const {
  if (folder_.empty()) return;
  nlohmann::json report = read_json(file(layer, ".json"));
  report[kSeconds] = seconds;
  write_json(file(layer, ".json"), report);
}

std::vector<double> BlockStore::seconds(int64_t layers) const {
  std::vector<double> all;
  const int64_t count = finished(layers);
  for (int64_t layer = 0; layer < count; ++layer) {
    if (const auto seconds = number_at(read_json(file(layer, ".json")), kSeconds)) all.push_back(*seconds);
  }
  return all;
}

}  // namespace qslaw
