#include "io/tensor_file.h"

#include <ATen/ATen.h>

#include <memory>

#include "core/error.h"
#include "io/dtypes.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "io/torch_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

template <typename File>
TensorFile open_as(const fs::path& path) {
  const auto file = std::make_shared<File>(path);
  TensorFile opened{path, {}, {}, [file](const std::string& name) { return file->tensor(name); }};
  for (const auto& [name, entry] : file->entries()) {
    opened.shapes[name] = entry.shape;
    opened.dtypes[name] = entry.dtype;
  }
  return opened;
}

}  // namespace

at::Tensor copy_from_file(const at::Tensor& tensor, at::Device device, at::ScalarType dtype) {
  at::Tensor copy = tensor.to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  if (tensor.is_contiguous()) release_mapped_pages(tensor.const_data_ptr(), tensor.nbytes());
  return copy;
}

bool is_torch_file(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".bin" || ending == ".pt" || ending == ".pth";
}

TensorFile open_tensor_file(const fs::path& path) {
  std::error_code told_below;
  require(!fs::is_directory(path, told_below), "weights",
          "expected a file of tensors (safetensors, or .bin, .pt or .pth of torch.save), got the folder ",
          path.string());
  return is_torch_file(path) ? open_as<TorchFile>(path) : open_as<SafetensorsFile>(path);
}

void require_weight(const TensorFile& file, const std::string& name, const std::vector<int64_t>& shape,
                    const std::string& where) {
  const std::vector<int64_t>& stored = file.shapes.at(name);
  require(stored == shape, where, "tensor ", name, ": expected shape ", at::IntArrayRef(shape), ", got ",
          at::IntArrayRef(stored), " (", file.path.string(), ")");
  const at::ScalarType dtype = file.dtypes.at(name);
  require(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf, where, "tensor ", name,
          ": expected float32, bfloat16 or float16, got ", dtype_name(dtype), " (", file.path.string(), ")");
}

}  // namespace qslaw
