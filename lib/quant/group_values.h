// A file with a number per group of weights, as OmniQuant's and QSLAW's authors save what they learn.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/tensor_file.h"
#include "model/linear.h"

namespace qslaw {

/// The file's tensors are called "<layer>.<linear>.<leaf>" (torch.save of a dictionary by layer) or
/// "model.layers.<layer>.<linear>.<leaf>", and are [N * K/G, 1] or [N, K/G], row after row. Every error is a
/// KeyError at the recipe's key that names the file.
class GroupValues {
 public:
  GroupValues(const std::filesystem::path& path, std::string key, int64_t group_size);

  bool has(const LinearSpec& spec, const std::string& leaf) const;

  /// KeyError unless the tensor is there, with a number for every group.
  void require_tensor(const LinearSpec& spec, const std::string& leaf) const;

  /// float32 [N, K/G], of its own memory. KeyError for a number that is not finite. REQUIRES: require_tensor
  /// passed.
  at::Tensor values(const LinearSpec& spec, const std::string& leaf) const;

  /// KeyError for a tensor that is none of these linears' leaves.
  void require_only(const std::vector<LinearSpec>& specs, const std::vector<std::string>& leaves) const;

  /// Throws KeyError "expected ..., got ... (the file)" at the recipe's key.
  [[noreturn]] void refuse(const std::string& expected_and_got) const;

 private:
  std::string stored_name(const LinearSpec& spec, const std::string& leaf) const;
  void require_block(const LinearSpec& spec) const;

  std::string key_;
  int64_t group_size_;
  TensorFile file_;
};

}  // namespace qslaw
