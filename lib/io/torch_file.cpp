#include "io/torch_file.h"

#include <ATen/ATen.h>

#include <cstring>

#include "core/error.h"
#include "io/torch_pickle.h"
#include "io/zip_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using Records = std::map<std::string, std::string_view>;

void require_zip(const MappedFile& file, const fs::path& path) {
  const std::string_view bytes = file.bytes();
  require(!bytes.starts_with("\x80"), "weights",
          "expected torch.save's zip format, got an older pickle; write it anew with PyTorch 1.6 or later: "
          "torch.save(torch.load(path, weights_only=True), path) (",
          path.string(), ")");
  refuse_lfs_pointer(bytes, path, "weights", "a file of torch.save");
  require(bytes.starts_with("PK"), "weights", "expected a file of torch.save, got other content (",
          path.string(), ")");
}

// "NAME/" of the one top folder, which is called as the file was when it was written.
std::string top_folder(const Records& records, const fs::path& path) {
  for (const auto& [name, bytes] : records) {
    const size_t slash = name.find('/');
    if (slash != name.npos && name.substr(slash) == "/data.pkl") return name.substr(0, slash + 1);
  }
  fail("weights", "expected the record data.pkl of torch.save, got none (", path.string(), ")");
}

void require_little_endian(const Records& records, const std::string& folder, const fs::path& path) {
  const auto order = records.find(folder + "byteorder");
  require(order == records.end() || order->second == "little", "weights",
          "expected little-endian tensors, got big-endian ones (", path.string(), ")");
}

}  // namespace

TorchFile::TorchFile(const fs::path& path)
    : path_(path), mapping_(std::make_shared<MappedFile>(path, "weights")) {
  require_zip(*mapping_, path);
  const Records records = read_zip_records(*mapping_, path);
  const std::string folder = top_folder(records, path);
  require_little_endian(records, folder, path);
  entries_ = read_torch_pickle(records.at(folder + "data.pkl"), records, folder, path.string());
}

at::Tensor TorchFile::tensor(const std::string& name) const {
  const Entry& entry = entries_.at(name);
  const auto options = at::TensorOptions().dtype(entry.dtype);
  const size_t item = c10::elementSize(entry.dtype);
  const auto elements = static_cast<int64_t>(entry.storage.size() / item);
  auto* address = const_cast<char*>(entry.storage.data());
  at::Tensor storage;
  if (elements == 0) {
    storage = at::empty({0}, options);
  } else if (reinterpret_cast<uintptr_t>(address) % item != 0) {  // PyTorch aligns storages, others may not
    storage = at::empty({elements}, options);
    std::memcpy(storage.data_ptr(), address, entry.storage.size());
  } else {
    storage = at::from_blob(
        address, {elements}, [keep = mapping_](void*) {}, options);
  }
  return storage.as_strided(entry.shape, entry.strides, entry.offset).contiguous();
}

}  // namespace qslaw
