// The safetensors format (https://huggingface.co/docs/safetensors): u64 little-endian header length, a JSON
// header, data.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace qslaw {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// A safetensors file mapped into memory. Tensors alias the mapping (read them, do not write) and keep it
/// alive.
class SafetensorsFile {
 public:
  struct Entry {
    at::ScalarType dtype = at::kFloat;
    std::vector<int64_t> shape;
    size_t begin = 0;  // bytes from the start of the data section
    size_t end = 0;
  };

  /// Maps and checks the file: header size, dtypes, offsets inside the file and agreeing with the shapes, no
  /// overlaps, no byte that belongs to no tensor. UserError naming the path and tensor otherwise.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& name) const { return entries_.count(name) > 0; }

  /// The tensor, zero copy. UserError when absent.
  at::Tensor tensor(const std::string& name) const;

 private:
  struct Mapping;
  void parse_header();
  void check_tensor(const std::string& name, const Entry& entry) const;
  void check_layout() const;

  std::filesystem::path path_;
  std::shared_ptr<Mapping> mapping_;
  size_t data_start_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// Writes atomically, tensor after tensor (moved to the CPU one at a time). `__metadata__` gets format "pt"
/// beside `metadata`, which Hugging Face's reader asks for.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A tensor that is made when its turn to be written comes, so that a file larger than memory can be written.
struct StreamedTensor {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  std::function<at::Tensor()> make;  // gives exactly this dtype and shape, on any device

  size_t bytes() const;
};

/// Like the above, holding one tensor at a time.
void write_safetensors(const std::filesystem::path& path, const std::vector<StreamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Takes a tensor to write; names must differ.
using TensorSink = std::function<void(const std::string& name, const at::Tensor& tensor)>;

/// Writes tensors as `fill` hands them over, so that one at a time need be in memory. What stands in front of
/// them, the header, is written last, into room for `most_tensors`; `metadata` is asked then.
void write_safetensors(const std::filesystem::path& path, size_t most_tensors,
                       const std::function<void(const TensorSink&)>& fill,
                       const std::function<std::map<std::string, std::string>()>& metadata);

/// All tensors of a file, zero copy.
std::map<std::string, at::Tensor> read_safetensors(const std::filesystem::path& path);

}  // namespace qslaw
