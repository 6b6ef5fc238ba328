// The weights of a Hugging Face folder: model.safetensors or pytorch_model.bin, or shards named by their
// index.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/tensor_file.h"

namespace qslaw {

/// How much of the weights is opened. `headers`: tensors come without data (of the meta device), and an
/// index whose files are all absent is fine, of which names are all there is to check: for a dry run.
enum class WeightReading { tensors, headers };

/// Tensors by name over one or many files, remembering which were taken so that leftovers can be named.
class WeightFolder {
 public:
  /// Maps every file, of safetensors if there are any. UserError when there is none, a shard is missing, or
  /// the index and the shards disagree.
  static WeightFolder open(const std::filesystem::path& folder,
                           WeightReading reading = WeightReading::tensors);

  /// Hash that tells one checkpoint from another without reading all of it: every .safetensors (or else
  /// .bin) file's name, size, first and last MiB.
  static std::string identity(const std::filesystem::path& folder);

  bool has(const std::string& name) const { return files_by_name_.count(name) > 0; }
  std::vector<std::string> names() const;

  /// The file that a tensor lies in; null where there is no such tensor, or its name is all that is known.
  const TensorFile* file_of(const std::string& name) const;

  /// The tensor, zero copy where it lies so in the file, marked as taken. UserError when it is missing (the
  /// nearest name is told), its shape is not `shape`, or it is not float32, bfloat16 or float16.
  at::Tensor take(const std::string& name, const std::vector<int64_t>& shape);

  /// Marks a tensor as known but unused.
  void ignore(const std::string& name) { taken_.insert(name); }

  /// UserError naming the tensors that nobody took.
  void require_all_taken() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  WeightReading reading_ = WeightReading::tensors;
  std::map<std::string, std::shared_ptr<const TensorFile>> files_by_name_;  // null: by its name alone
  std::set<std::string> taken_;
};

}  // namespace qslaw
