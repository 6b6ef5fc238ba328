// A decoder linear's weight as packed codes: the form in which it lies on disk and in memory during tune and
// eval. Letters: N rows (outputs), K columns (inputs), G group size.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "kernels/group_quant.h"
#include "model/linear.h"

namespace qslaw {

enum class CodeKind { uniform, normal_float };

/// Codes plus what turns them into weights. uniform: W^ = (code - zero) * scale per group. normal_float: W^ =
/// table[code] * absmax per block of 64, the absmax themselves being stored as 8-bit codes (double
/// quantization).
struct PackedWeight {
  CodeKind kind = CodeKind::uniform;
  int bits = 4;
  int64_t group_size = 128;
  at::Tensor codes;    // uint8 [N, K * bits / 8], see kernels/group_quant.h
  GroupGrid grid;      // uniform only
  AbsmaxCodes absmax;  // normal_float only
  at::Tensor table;    // normal_float only: float32 [2^bits]

  int64_t rows() const { return codes.size(0); }
  int64_t columns() const { return codes.size(1) * 8 / bits; }
  int64_t bytes() const;
  /// Rows begin..end-1 as weights into `out`, contiguous [end - begin, K].
  void dequantize_into(int64_t begin, int64_t end, at::Tensor& out) const;
  /// Columns begin..end-1, whole groups, of all rows into `out`, contiguous [N, end - begin]. CPU only.
  void dequantize_columns_into(int64_t begin, int64_t end, at::Tensor& out) const;
  /// All of them, [N, K].
  at::Tensor dequantize(at::ScalarType dtype) const;
  PackedWeight to(at::Device device) const;
};

/// Behind the name of a method whose codes hold gamma as well.
inline constexpr const char* kFolded = "+qslaw";

/// A quantized decoder: one packed weight per linear, by the linear's name.
struct PackedLanguage {
  std::string method;  // rtn, omniquant, nf4, absorbed; kFolded behind it once gamma is folded in
  int bits = 4;
  int64_t group_size = 128;
  std::map<std::string, std::shared_ptr<const PackedWeight>> weights;
  std::string tuned_base = {};  // which fully tuned weights were packed; empty: the checkpoint's

  int64_t bytes() const;
};

/// What a packed file says of itself, without its tensors.
struct PackedHeader {
  std::string method;
  CodeKind kind = CodeKind::uniform;
  int bits = 4;
  int64_t group_size = 128;
  std::string tuned_base;
  int64_t bytes = 0;  // of all tensors
};
/// UserError when it is no such file.
PackedHeader read_packed_header(const std::filesystem::path& path);

/// Writes / reads docs/formats.md's `language.safetensors`. Reading checks names and shapes against `specs`;
/// UserError names what is missing, extra or of wrong shape.
void write_packed_language(const std::filesystem::path& path, const PackedLanguage& language);
/// The same while the weights are made: `language` without weights, at most `linears` of which `fill` hands
/// over.
using PackedSink = std::function<void(const std::string& name, const PackedWeight& weight)>;
void write_packed_language(const std::filesystem::path& path, const PackedLanguage& language, size_t linears,
                           const std::function<void(const PackedSink&)>& fill);
PackedLanguage read_packed_language(const std::filesystem::path& path, const std::vector<LinearSpec>& specs);

}  // namespace qslaw
