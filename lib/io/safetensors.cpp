#include "io/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "io/dtypes.h"
#include "io/mapped_file.h"
#include "io/safetensors_format.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

at::ScalarType parse_dtype(const std::string& name, const fs::path& path, const std::string& tensor) {
  for (const Dtype& row : kDtypes) {
    if (name == row.safetensors) return row.type;
  }
  fail("safetensors", "tensor ", tensor, " in ", path.string(), ": expected a known dtype, got \"", name,
       "\"");
}

constexpr size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

std::string shortened(const std::string& text) {
  constexpr size_t kLongest = 80;
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + " ...";
}

// A json::exception where something is missing or of another type.
SafetensorsFile::Entry read_entry(const nlohmann::json& value, const fs::path& path,
                                  const std::string& tensor) {
  SafetensorsFile::Entry entry;
  entry.dtype = parse_dtype(value.at("dtype").get<std::string>(), path, tensor);
  entry.shape = value.at("shape").get<std::vector<int64_t>>();
  entry.begin = value.at("data_offsets").at(0).get<size_t>();
  entry.end = value.at("data_offsets").at(1).get<size_t>();
  return entry;
}

}  // namespace

struct SafetensorsFile::Mapping : MappedFile {
  using MappedFile::MappedFile;
};

SafetensorsFile::SafetensorsFile(const fs::path& path)
    : path_(path), mapping_(std::make_shared<Mapping>(path, "safetensors")) {
  require(mapping_->size() >= kLengthBytes, "safetensors", "expected a safetensors file, got ",
          fs::is_directory(path) ? "the folder " : concat(mapping_->size(), " bytes in "), path.string());
  refuse_lfs_pointer(mapping_->bytes(), path, "safetensors", "a safetensors file");
  parse_header();
  check_layout();
}

void SafetensorsFile::parse_header() {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, mapping_->data(), kLengthBytes);
  require(header_bytes <= kMaxHeaderBytes, "safetensors", "expected a header of at most ", kMaxHeaderBytes,
          " bytes, got a length of ", header_bytes, " in the first 8 bytes of ", path_.string(),
          " (not a safetensors file, or damaged)");
  require(kLengthBytes + header_bytes <= mapping_->size(), "safetensors", "expected a header of ",
          header_bytes, " bytes behind the first 8, got ", mapping_->size() - kLengthBytes, " bytes in ",
          path_.string(), " (cut, or not a safetensors file)");
  data_start_ = kLengthBytes + header_bytes;
  const auto header = parse_json({mapping_->data() + kLengthBytes, header_bytes}, "safetensors",
                                 "the header of " + path_.string());
  require(header.is_object(), "safetensors", "expected a JSON object as the header of ", path_.string(),
          ", got ", header.type_name());
  for (const auto& [name, value] : header.items()) {
    try {
      if (name == kMetadata) {
        metadata_ = value.get<std::map<std::string, std::string>>();
      } else {
        entries_[name] = read_entry(value, path_, name);
      }
    } catch (const nlohmann::json::exception&) {
      fail("safetensors", "expected ",
           name == kMetadata ? "texts as metadata" : "dtype, shape and two data_offsets of tensor " + name,
           " in the JSON header of ", path_.string(), ", got ", shortened(value.dump()));
    }
  }
}

void SafetensorsFile::check_tensor(const std::string& name, const Entry& entry) const {
  const size_t data_bytes = mapping_->size() - data_start_;
  const int64_t count = element_count(entry.shape);
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
  require(data_start_ + covered == mapping_->size(), "safetensors", "expected ", data_start_ + covered,
          " bytes by the header of ", path_.string(), ", got ", mapping_->size());
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), "safetensors", "expected tensor ", name, " in ", path_.string(),
          ", got none");
  const Entry& entry = found->second;
  auto* address = const_cast<char*>(mapping_->data() + data_start_ + entry.begin);
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

std::map<std::string, at::Tensor> read_safetensors(const fs::path& path) {
  const SafetensorsFile file(path);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : file.entries())
    tensors[name] = file.tensor(name);
  return tensors;
}

}  // namespace qslaw
