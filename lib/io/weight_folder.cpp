#include "io/weight_folder.h"

#include <ATen/ATen.h>

#include <fstream>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "io/json.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

const char* const kSingleFile = "model.safetensors";
const char* const kIndexFile = "model.safetensors.index.json";
constexpr size_t kIdentityBytes = 1 << 20;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::vector<std::string> parts;
  for (int64_t extent : shape)
    parts.push_back(concat(extent));
  return "[" + join(parts) + "]";
}

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

// The name of torch's own weights, the first of several files; "" when there are none.
std::string torch_weights(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("pytorch_model") && name.ends_with(".bin")) names.insert(name);
  }
  return names.empty() ? "" : *names.begin();
}

[[noreturn]] void fail_no_weights(const fs::path& folder) {
  require(fs::is_directory(folder), "weights", "expected a model folder, got ", folder.string(),
          fs::exists(folder) ? " (a file)" : " (which does not exist)");
  const std::string torch = torch_weights(folder);
  require(torch.empty(), "weights", "expected safetensors, got ", torch, kConvertHint, " (", folder.string(),
          ")");
  fail("weights", "expected ", kSingleFile, " or ", kIndexFile, " in ", folder.string(), ", got neither");
}

std::string nearest_tensor(const std::string& name, const std::vector<std::string>& names) {
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? "" : "; the nearest name is " + nearest;
}

}  // namespace

WeightFolder WeightFolder::open(const fs::path& folder) {
  WeightFolder weights;
  weights.folder_ = folder;
  if (fs::exists(folder / kIndexFile)) {
    std::map<std::string, std::shared_ptr<SafetensorsFile>> shards;
    for (const auto& [name, file] : read_index(folder / kIndexFile)) {
      auto& shard = shards[file];
      if (!shard) shard = std::make_shared<SafetensorsFile>(folder / file);
      require(shard->has(name), "weights", "expected tensor ", name, " in ", (folder / file).string(),
              " as the index says, got none");
      weights.files_by_name_[name] = shard;
    }
  } else if (fs::exists(folder / kSingleFile)) {
    auto file = std::make_shared<SafetensorsFile>(folder / kSingleFile);
    for (const auto& [name, entry] : file->entries())
      weights.files_by_name_[name] = file;
  } else {
    fail_no_weights(folder);
  }
  return weights;
}

std::vector<std::string> WeightFolder::list_names(const fs::path& folder) {
  std::vector<std::string> names;
  if (fs::exists(folder / kIndexFile)) {
    for (const auto& [name, file] : read_index(folder / kIndexFile))
      names.push_back(name);
    return names;
  }
  return open(folder).names();
}

std::string WeightFolder::identity(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.insert(entry.path());
  }
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

at::Tensor WeightFolder::take(const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = files_by_name_.find(name);
  if (found == files_by_name_.end()) {
    fail("weights", "expected tensor ", name, " in ", folder_.string(), ", got none",
         nearest_tensor(name, names()));
  }
  at::Tensor tensor = found->second->tensor(name);
  const std::string file = found->second->path().string();
  require(tensor.sizes() == at::IntArrayRef(shape), "weights", "tensor ", name, ": expected shape ",
          shape_text(shape), ", got ", shape_text(tensor.sizes().vec()), " (", file, ")");
  const auto dtype = tensor.scalar_type();
  require(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf, "weights", "tensor ", name,
          ": expected float32, bfloat16 or float16, got ", c10::toString(dtype), " (", file, ")");
  taken_.insert(name);
  return tensor;
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
