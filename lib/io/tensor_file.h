// A file of named tensors in either format: safetensors, or torch.save's .bin, .pt and .pth.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace qslaw {

struct TensorFile {
  std::filesystem::path path;
  std::map<std::string, std::vector<int64_t>> shapes;         // by name
  std::map<std::string, at::ScalarType> dtypes;               // by name
  std::function<at::Tensor(const std::string& name)> tensor;  // contiguous, zero copy where possible
};

/// The format goes by the name's ending. UserError as of SafetensorsFile and TorchFile.
TensorFile open_tensor_file(const std::filesystem::path& path);

/// UserError("[where] ...") unless the file's tensor `name`, which is there, has this shape and is float32,
/// bfloat16 or float16. Looks at headers alone: a view that repeats one number may be of any size.
void require_weight(const TensorFile& file, const std::string& name, const std::vector<int64_t>& shape,
                    const std::string& where);

/// A copy of a tensor that may alias a mapped file, whose pages then leave this process' memory: a model is
/// loaded within its own size.
at::Tensor copy_from_file(const at::Tensor& tensor, at::Device device, at::ScalarType dtype);

/// True for names of torch.save's files.
bool is_torch_file(const std::filesystem::path& path);

}  // namespace qslaw
