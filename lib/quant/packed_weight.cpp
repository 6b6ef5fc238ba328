#include "quant/packed_weight.h"

#include <ATen/ATen.h>

#include <set>

#include "core/error.h"
#include "io/dtypes.h"
#include "io/tensor_file.h"
#include "kernels/dequantize_columns.h"
#include "quant/normal_float.h"

namespace qslaw {
namespace {

const char* const kFormatVersion = "1";
const char* const kTunedBase = "tuned_base";

std::string metadata_value(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), "packed", "expected a packed language model with metadata ", key,
          ", got none (", file.path().string(), ")");
  return found->second;
}

int64_t metadata_integer(const SafetensorsFile& file, const char* key) {
  const std::string text = metadata_value(file, key);
  require(!text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos,
          "packed", "expected a number as metadata ", key, ", got ", text, " (", file.path().string(), ")");
  return std::stoll(text);
}

PackedHeader header_of(const SafetensorsFile& file) {
  require(metadata_value(file, "qslaw_packed") == kFormatVersion, "packed", "expected format version ",
          kFormatVersion, ", got ", metadata_value(file, "qslaw_packed"), " (", file.path().string(), ")");
  PackedHeader header;
  header.method = metadata_value(file, "method");
  header.kind = metadata_value(file, "codes") == "uniform" ? CodeKind::uniform : CodeKind::normal_float;
  header.bits = static_cast<int>(metadata_integer(file, "bits"));
  header.group_size = metadata_integer(file, "group_size");
  if (file.metadata().count(kTunedBase) > 0) header.tuned_base = file.metadata().at(kTunedBase);
  for (const auto& [name, entry] : file.entries())
    header.bytes += static_cast<int64_t>(entry.end - entry.begin);
  return header;
}

// Hands out the tensors of one file, checking shape and dtype and remembering which were used.
class PackedReader {
 public:
  explicit PackedReader(const SafetensorsFile& file) : file_(file) {}

  at::Tensor take(const std::string& name, const std::vector<int64_t>& shape, at::ScalarType dtype) {
    const at::Tensor tensor = file_.tensor(name);
    require(tensor.sizes() == at::IntArrayRef(shape) && tensor.scalar_type() == dtype, "packed", "tensor ",
            name, ": expected ", dtype_name(dtype), " ", at::IntArrayRef(shape), ", got ",
            dtype_name(tensor.scalar_type()), " ", tensor.sizes(), " (", file_.path().string(), ")");
    used_.insert(name);
    return copy_from_file(tensor, at::kCPU, dtype);
  }
  void require_all_used() const {
    for (const auto& [name, entry] : file_.entries()) {
      require(used_.count(name) > 0, "packed", "expected only the decoder's packed linears, got also ", name,
              " (", file_.path().string(), ")");
    }
  }

 private:
  const SafetensorsFile& file_;
  std::set<std::string> used_;
};

PackedWeight read_weight(PackedReader& reader, const LinearSpec& spec, CodeKind kind, int bits,
                         int64_t group_size) {
  const int64_t N = spec.rows, K = spec.columns, groups = K / group_size;
  PackedWeight weight;
  weight.kind = kind;
  weight.bits = bits;
  weight.group_size = group_size;
  weight.codes = reader.take(spec.name + ".codes", {N, K * bits / 8}, at::kByte);
  if (kind == CodeKind::uniform) {
    weight.grid.scale = reader.take(spec.name + ".scale", {N, groups}, at::kFloat);
    weight.grid.zero = reader.take(spec.name + ".zero", {N, groups}, at::kShort);
  } else {
    const int64_t nested = (N * groups + kAbsmaxBlock - 1) / kAbsmaxBlock;
    weight.absmax.codes = reader.take(spec.name + ".absmax_codes", {N, groups}, at::kByte);
    weight.absmax.nested_absmax = reader.take(spec.name + ".nested_absmax", {nested}, at::kFloat);
    weight.absmax.offset = reader.take(spec.name + ".absmax_offset", {1}, at::kFloat);
    weight.absmax.map = dynamic_map();
    weight.table = normal_float_table(bits);
  }
  return weight;
}

// Name behind the linear's, and tensor.
NamedTensors parts_of(const PackedWeight& weight) {
  if (weight.kind == CodeKind::uniform)
    return {{".codes", weight.codes}, {".scale", weight.grid.scale}, {".zero", weight.grid.zero}};
  return {{".codes", weight.codes},
          {".absmax_codes", weight.absmax.codes},
          {".nested_absmax", weight.absmax.nested_absmax},
          {".absmax_offset", weight.absmax.offset}};
}

}  // namespace

int64_t PackedWeight::bytes() const {
  int64_t total = 0;
  for (const auto& [part, tensor] : parts_of(*this))
    total += static_cast<int64_t>(tensor.nbytes());
  return total;
}

void PackedWeight::dequantize_into(int64_t begin, int64_t end, at::Tensor& out) const {
  if (kind == CodeKind::uniform) return dequantize_packed_into(codes, grid, bits, begin, end, out);
  dequantize_table_into(codes, absmax, table, bits, begin, end, out);
}

void PackedWeight::dequantize_columns_into(int64_t begin, int64_t end, at::Tensor& out) const {
  if (kind == CodeKind::uniform) return qslaw::dequantize_columns_into(codes, grid, bits, begin, end, out);
  dequantize_table_columns_into(codes, absmax, table, bits, begin, end, out);
}

at::Tensor PackedWeight::dequantize(at::ScalarType dtype) const {
  at::Tensor out = at::empty({rows(), columns()}, codes.options().dtype(dtype));
  dequantize_into(0, rows(), out);
  return out;
}

PackedWeight PackedWeight::to(at::Device device) const {
  PackedWeight moved = *this;
  moved.codes = codes.to(device);
  if (kind == CodeKind::uniform) {
    moved.grid = {grid.scale.to(device), grid.zero.to(device)};
  } else {
    moved.absmax = absmax.to(device);
    moved.table = table.to(device);
  }
  return moved;
}

int64_t PackedLanguage::bytes() const {
  int64_t total = 0;
  for (const auto& [name, weight] : weights)
    total += weight->bytes();
  return total;
}

void write_packed_language(const std::filesystem::path& path, const PackedLanguage& language, size_t linears,
                           const std::function<void(const PackedSink&)>& fill) {
  constexpr size_t kMostTensors = 4;  // of a linear
  CodeKind kind = CodeKind::uniform;
  const auto fill_tensors = [&](const TensorSink& sink) {
    fill([&](const std::string& name, const PackedWeight& weight) {
      kind = weight.kind;
      for (const auto& [part, tensor] : parts_of(weight))
        sink(name + part, tensor);
    });
  };
  const auto metadata = [&] {
    std::map<std::string, std::string> values = {
        {"qslaw_packed", kFormatVersion},
        {"method", language.method},
        {"codes", kind == CodeKind::uniform ? "uniform" : "normal_float"},
        {"bits", std::to_string(language.bits)},
        {"group_size", std::to_string(language.group_size)}};
    if (!language.tuned_base.empty()) values[kTunedBase] = language.tuned_base;
    return values;
  };
  write_safetensors(path, kMostTensors * linears + 1, fill_tensors, metadata);
}

void write_packed_language(const std::filesystem::path& path, const PackedLanguage& language) {
  write_packed_language(path, language, language.weights.size(), [&](const PackedSink& sink) {
    for (const auto& [name, weight] : language.weights)
      sink(name, *weight);
  });
}

PackedHeader read_packed_header(const std::filesystem::path& path) {
  return header_of(SafetensorsFile(path));
}

PackedLanguage read_packed_language(const std::filesystem::path& path, const std::vector<LinearSpec>& specs) {
  const SafetensorsFile file(path);
  const PackedHeader header = header_of(file);
  PackedLanguage language{header.method, header.bits, header.group_size, {}, header.tuned_base};
  PackedReader reader(file);
  for (const LinearSpec& spec : specs) {
    check_group_shape(spec.name, spec.columns, language.bits, language.group_size);
    language.weights[spec.name] = std::make_shared<PackedWeight>(
        read_weight(reader, spec, header.kind, language.bits, language.group_size));
  }
  reader.require_all_used();
  return language;
}

}  // namespace qslaw
