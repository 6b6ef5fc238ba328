#include "io/weight_folder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "io/json.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

struct FileNames {
  const char* single;
  const char* index;
};

// In the order of preference.
constexpr FileNames kFormats[] = {{"model.safetensors", "model.safetensors.index.json"},
                                  {"pytorch_model.bin", "pytorch_model.bin.index.json"}};
constexpr size_t kIdentityBytes = 1 << 20;

// {tensor name: file name} of an index file.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const auto index = read_json(path);
  require(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object(), "weights",
          "expected an object with \"weight_map\" in ", path.string());
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : index["weight_map"].items()) {
    require(file.is_string(), "weights", "expected a file name for tensor ", name, " in ", path.string());
    map[name] = file.get<std::string>();
  }
  return map;
}

[[noreturn]] void fail_no_weights(const fs::path& folder) {
  require(fs::is_directory(folder), "weights", "expected a model folder, got ", folder.string(),
          fs::exists(folder) ? " (a file)" : " (which does not exist)");
  std::vector<std::string> names;
  for (const FileNames& format : kFormats)
    names.insert(names.end(), {format.single, format.index});
  const bool is_adapter = fs::exists(folder / "adapter_config.json");
  fail("weights", "expected ", join(names, " or "), " in ", folder.string(), ", got none of them",
       is_adapter ? " but a LoRA adapter, which is for model.adapter, beside the model it was tuned on" : "");
}

// An index, or a single file; neither ends in a UserError.
fs::path find_weights(const fs::path& folder) {
  for (const FileNames& format : kFormats) {
    for (const char* name : {format.index, format.single}) {
      if (fs::exists(folder / name)) return folder / name;
    }
  }
  fail_no_weights(folder);
}

bool any_exists(const fs::path& folder, const std::map<std::string, std::string>& index) {
  return std::any_of(index.begin(), index.end(),
                     [&](const auto& entry) { return fs::exists(folder / entry.second); });
}

std::string nearest_tensor(const std::string& name, const std::vector<std::string>& names) {
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? "" : "; the nearest name is " + nearest;
}

std::set<fs::path> files_ending(const fs::path& folder, const char* ending) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ending) files.insert(entry.path());
  }
  return files;
}

}  // namespace

WeightFolder WeightFolder::open(const fs::path& folder, WeightReading reading) {
  WeightFolder weights;
  weights.folder_ = folder;
  weights.reading_ = reading;
  const fs::path found = find_weights(folder);
  if (found.extension() == ".json") {
    std::map<std::string, std::shared_ptr<const TensorFile>> shards;
    const auto index = read_index(found);
    const bool names_only = reading == WeightReading::headers && !any_exists(folder, index);
    for (const auto& [name, file] : index) {
      auto& shard = shards[file];
      weights.files_by_name_[name] = nullptr;
      if (names_only) continue;
      if (!shard) shard = std::make_shared<TensorFile>(open_tensor_file(folder / file));
      require(shard->shapes.contains(name), "weights", "expected tensor ", name, " in ",
              (folder / file).string(), " as the index says, got none");
      weights.files_by_name_[name] = shard;
    }
  } else {
    const auto file = std::make_shared<TensorFile>(open_tensor_file(found));
    for (const auto& [name, shape] : file->shapes)
      weights.files_by_name_[name] = file;
  }
  return weights;
}

std::string WeightFolder::identity(const fs::path& folder) {
  std::set<fs::path> files = files_ending(folder, ".safetensors");
  if (files.empty()) files = files_ending(folder, ".bin");
  std::string all;
  for (const fs::path& path : files) {
    all += concat(path.filename().string(), " ", fs::file_size(path), "\n");
    std::ifstream file(path, std::ios::binary);
    std::string piece(std::min<size_t>(kIdentityBytes, fs::file_size(path)), '\0');
    for (const auto direction : {std::ios::beg, std::ios::end}) {
      const auto size = static_cast<std::streamoff>(piece.size());
      file.seekg(direction == std::ios::beg ? 0 : -size, direction);
      file.read(piece.data(), size);
      require(file.good(), "weights", "expected a readable file, got a read error (", path.string(), ")");
      all += sha256(piece);
    }
  }
  return sha256(all);
}

std::vector<std::string> WeightFolder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_by_name_)
    names.push_back(name);
  return names;
}

const TensorFile* WeightFolder::file_of(const std::string& name) const {
  const auto found = files_by_name_.find(name);
  return found == files_by_name_.end() ? nullptr : found->second.get();
}

at::Tensor WeightFolder::take(const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = files_by_name_.find(name);
  if (found == files_by_name_.end()) {
    fail("weights", "expected tensor ", name, " in ", folder_.string(), ", got none",
         nearest_tensor(name, names()));
  }
  if (found->second) require_weight(*found->second, name, shape, "weights");
  taken_.insert(name);
  if (reading_ == WeightReading::headers) return at::empty(shape, at::TensorOptions().device(at::kMeta));
  return found->second->tensor(name);
}

void WeightFolder::require_all_taken() const {
  std::vector<std::string> extra;
  for (const auto& [name, file] : files_by_name_) {
    if (taken_.count(name) == 0) extra.push_back(name);
  }
  if (extra.empty()) return;
  const size_t count = extra.size();
  if (count > 5) extra.resize(5);
  fail("weights", "expected only tensors of the model in ", folder_.string(), ", got ", count,
       " more: ", join(extra), count > 5 ? ", ..." : "");
}

}  // namespace qslaw
