#include <ATen/ATen.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/write_failure.h"
#include "io/dtypes.h"
#include "io/safetensors.h"
#include "io/safetensors_format.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Bytes of the header for one tensor: a name, a shape and two offsets of any length that occurs.
constexpr size_t kHeaderRoom = 256;

nlohmann::json entry_of(at::ScalarType dtype, const std::vector<int64_t>& shape, size_t offset,
                        size_t bytes) {
  return {
      {"dtype", dtype_row(dtype).safetensors}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
}

// Fails where it happens: later nobody knows the reason, and a large file is not made in vain.
void write_bytes(std::ostream& out, const void* bytes, size_t size, const fs::path& path) {
  out.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  if (!out) fail("write", "cannot write ", path.string(), ": ", write_failure(errno));
}

}  // namespace

size_t StreamedTensor::bytes() const {
  const int64_t count = element_count(shape);
  QSLAW_CHECK(count >= 0);
  return static_cast<size_t>(count) * c10::elementSize(dtype);
}

void write_safetensors(const fs::path& path, const std::vector<StreamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::json header;
  header[kMetadata] = metadata;
  header[kMetadata]["format"] = "pt";
  size_t offset = 0;
  for (const auto& tensor : tensors) {
    QSLAW_CHECK(!header.contains(tensor.name));
    header[tensor.name] = entry_of(tensor.dtype, tensor.shape, offset, tensor.bytes());
    offset += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data 8-byte aligned
  write_file_atomic(path, [&](std::ostream& out) {
    const uint64_t length = text.size();
    write_bytes(out, &length, kLengthBytes, path);
    write_bytes(out, text.data(), text.size(), path);
    for (const auto& tensor : tensors) {
      const at::Tensor host = tensor.make().detach().cpu().contiguous();
      QSLAW_CHECK(host.scalar_type() == tensor.dtype && host.sizes() == at::IntArrayRef(tensor.shape));
      write_bytes(out, host.const_data_ptr(), host.nbytes(), path);
    }
  });
}

void write_safetensors(const fs::path& path, size_t most_tensors,
                       const std::function<void(const TensorSink&)>& fill,
                       const std::function<std::map<std::string, std::string>()>& metadata) {
  const size_t room = (most_tensors + 1) * kHeaderRoom;
  write_file_atomic(path, [&](std::ostream& out) {
    write_bytes(out, std::string(kLengthBytes + room, ' ').data(), kLengthBytes + room, path);
    nlohmann::json header;
    size_t offset = 0;
    fill([&](const std::string& name, const at::Tensor& tensor) {
      QSLAW_CHECK(!header.contains(name));
      const at::Tensor host = tensor.detach().cpu().contiguous();
      header[name] = entry_of(host.scalar_type(), host.sizes().vec(), offset, host.nbytes());
      write_bytes(out, host.const_data_ptr(), host.nbytes(), path);
      offset += host.nbytes();
    });
    header[kMetadata] = metadata();
    header[kMetadata]["format"] = "pt";
    const std::string text = header.dump();
    QSLAW_CHECK(text.size() <= room);
    out.seekp(0);
    const uint64_t length = room;
    write_bytes(out, &length, kLengthBytes, path);
    write_bytes(out, text.data(), text.size(), path);
  });
}

void write_safetensors(const fs::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<StreamedTensor> streamed;
  for (const auto& [name, tensor] : tensors) {
    streamed.push_back(
        {name, tensor.scalar_type(), tensor.sizes().vec(), [tensor = tensor] { return tensor; }});
  }
  write_safetensors(path, streamed, metadata);
}

}  // namespace qslaw
