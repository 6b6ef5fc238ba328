// Files of torch.save in its zip form (PyTorch 1.6 and later), read without running anything that they hold.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.h"

namespace qslaw {

/// A mapped file. Tensors alias the mapping where they are contiguous (read them, do not write) and keep it
/// alive.
class TorchFile {
 public:
  struct Entry {
    at::ScalarType dtype = at::kFloat;
    std::vector<int64_t> shape;
    std::vector<int64_t> strides;  // in elements
    int64_t offset = 0;            // in elements from the storage's beginning
    std::string_view storage;
  };

  /// Takes dictionaries, lists and tuples of tensors, parameters and plain values. Names of nested ones are
  /// joined by dots ({0: {"a": tensor}} has "0.a"); what is no tensor is passed over. UserError naming the
  /// file for anything else that its pickle holds, for damage, and for a tensor beyond its storage.
  explicit TorchFile(const std::filesystem::path& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::filesystem::path& path() const { return path_; }

  /// The contiguous tensor, zero copy where it lies so in the file. REQUIRES: one of `entries`.
  at::Tensor tensor(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> mapping_;
  std::map<std::string, Entry> entries_;
};

}  // namespace qslaw
