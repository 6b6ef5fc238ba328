#include "io/tensor_file.h"

#include <memory>

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

bool is_torch_file(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".bin" || ending == ".pt" || ending == ".pth";
}

TensorFile open_tensor_file(const fs::path& path) {
  return is_torch_file(path) ? open_as<TorchFile>(path) : open_as<SafetensorsFile>(path);
}

}  // namespace qslaw
