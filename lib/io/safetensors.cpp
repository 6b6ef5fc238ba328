#include "io/safetensors.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/error.h"
#include "core/files.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};

constexpr DtypeName kDtypes[] = {{"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
                                 {"BF16", at::kBFloat16}, {"I64", at::kLong},  {"I32", at::kInt},
                                 {"I16", at::kShort},     {"I8", at::kChar},   {"U8", at::kByte},
                                 {"BOOL", at::kBool}};

at::ScalarType parse_dtype(const std::string& name, const fs::path& path, const std::string& tensor) {
  for (const auto& row : kDtypes) {
    if (name == row.name) return row.dtype;
  }
  fail("safetensors", "tensor ", tensor, " in ", path.string(), ": expected a known dtype, got \"", name,
       "\"");
}

std::string dtype_name(at::ScalarType dtype) {
  for (const auto& row : kDtypes) {
    if (dtype == row.dtype) return row.name;
  }
  QSLAW_CHECK(!"dtype has no safetensors name");
}

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

// Element count, or -1 when negative or beyond what fits.
int64_t checked_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return -1;
  }
  return count;
}

}  // namespace

struct SafetensorsFile::Mapping {
  const char* data = nullptr;
  size_t size = 0;

  explicit Mapping(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail("safetensors", "cannot open ", path.string(), ": ", std::strerror(errno));
    struct stat status {};
    const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    size = regular ? static_cast<size_t>(status.st_size) : 0;
    void* address =
        size >= kLengthBytes ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
    ::close(descriptor);
    if (address == MAP_FAILED) {
      fail("safetensors", "expected a safetensors file, got ", size, " bytes in ", path.string());
    }
    data = static_cast<const char*>(address);
  }
  ~Mapping() { ::munmap(const_cast<char*>(data), size); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
};

SafetensorsFile::SafetensorsFile(const fs::path& path)
    : path_(path), mapping_(std::make_shared<Mapping>(path)) {
  parse_header();
  check_layout();
}

void SafetensorsFile::parse_header() {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, mapping_->data, kLengthBytes);
  require(header_bytes <= kMaxHeaderBytes && kLengthBytes + header_bytes <= mapping_->size, "safetensors",
          "expected a header of at most ", mapping_->size - kLengthBytes, " bytes, got ", header_bytes,
          " in ", path_.string(), " (is the file cut?)");
  data_start_ = kLengthBytes + header_bytes;
  const char* begin = mapping_->data + kLengthBytes;
  try {
    const auto header = nlohmann::json::parse(begin, begin + header_bytes);
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        metadata_ = value.get<std::map<std::string, std::string>>();
        continue;
      }
      Entry entry;
      entry.dtype = parse_dtype(value.at("dtype").get<std::string>(), path_, name);
      entry.shape = value.at("shape").get<std::vector<int64_t>>();
      entry.begin = value.at("data_offsets").at(0).get<size_t>();
      entry.end = value.at("data_offsets").at(1).get<size_t>();
      entries_[name] = entry;
    }
  } catch (const nlohmann::json::exception&) {
    fail("safetensors", "expected a JSON header with dtype, shape and data_offsets per tensor in ",
         path_.string());
  }
}

void SafetensorsFile::check_tensor(const std::string& name, const Entry& entry) const {
  const size_t data_bytes = mapping_->size - data_start_;
  const int64_t count = checked_count(entry.shape);
  const int64_t item = static_cast<int64_t>(c10::elementSize(entry.dtype));
  require(entry.begin <= entry.end && entry.end <= data_bytes, "safetensors", "tensor ", name, " in ",
          path_.string(), ": expected data within ", data_bytes, " bytes, got [", entry.begin, ", ",
          entry.end, ") (is the file cut?)");
  require(count >= 0 && count <= static_cast<int64_t>(data_bytes) &&
              count * item == static_cast<int64_t>(entry.end - entry.begin),
          "safetensors", "tensor ", name, " in ", path_.string(), ": expected ", count, " elements of ", item,
          " bytes, got ", entry.end - entry.begin, " bytes");
}

// As the reference implementation: tensor upon tensor, from the header to the file's last byte.
void SafetensorsFile::check_layout() const {
  std::vector<std::tuple<size_t, size_t, std::string>> ranges;
  for (const auto& [name, entry] : entries_) {
    check_tensor(name, entry);
    ranges.emplace_back(entry.begin, entry.end, name);
  }
  std::sort(ranges.begin(), ranges.end());
  size_t covered = 0;
  for (const auto& [begin, end, name] : ranges) {
    require(begin >= covered, "safetensors", "expected separate tensors in ", path_.string(),
            ", got two that overlap at byte ", begin);
    require(begin == covered, "safetensors", "tensor ", name, " in ", path_.string(),
            ": expected data without holes, from byte ", covered, ", got it from byte ", begin);
    covered = end;
  }
  require(data_start_ + covered == mapping_->size, "safetensors", "expected ", data_start_ + covered,
          " bytes by the header of ", path_.string(), ", got ", mapping_->size);
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), "safetensors", "expected tensor ", name, " in ", path_.string(),
          ", got none");
  const Entry& entry = found->second;
  auto* address = const_cast<char*>(mapping_->data + data_start_ + entry.begin);
  const auto options = at::TensorOptions().dtype(entry.dtype);
  if (entry.begin == entry.end) return at::empty(entry.shape, options);
  // The format does not align tensors; an unaligned one is copied.
  if (reinterpret_cast<uintptr_t>(address) % c10::elementSize(entry.dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), address, entry.end - entry.begin);
    return copy;
  }
  return at::from_blob(
      address, entry.shape, [keep = mapping_](void*) {}, options);
}

size_t StreamedTensor::bytes() const {
  const int64_t count = checked_count(shape);
  QSLAW_CHECK(count >= 0);
  return static_cast<size_t>(count) * c10::elementSize(dtype);
}

void write_safetensors(const fs::path& path, const std::vector<StreamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::json header;
  header["__metadata__"] = metadata;
  header["__metadata__"]["format"] = "pt";
  size_t offset = 0;
  for (const auto& tensor : tensors) {
    QSLAW_CHECK(!header.contains(tensor.name));
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data 8-byte aligned
  write_file_atomic(path, [&](std::ostream& out) {
    const uint64_t length = text.size();
    out.write(reinterpret_cast<const char*>(&length), kLengthBytes);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const auto& tensor : tensors) {
      const at::Tensor host = tensor.make().detach().cpu().contiguous();
      QSLAW_CHECK(host.scalar_type() == tensor.dtype && host.sizes() == at::IntArrayRef(tensor.shape));
      out.write(static_cast<const char*>(host.const_data_ptr()), static_cast<std::streamsize>(host.nbytes()));
    }
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

std::map<std::string, at::Tensor> read_safetensors(const fs::path& path) {
  const SafetensorsFile file(path);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : file.entries())
    tensors[name] = file.tensor(name);
  return tensors;
}

}  // namespace qslaw
