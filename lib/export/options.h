// What a recipe's `export` section says.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

/// The known formats. Their functions stand in export.cpp, in the same order.
inline constexpr const char* kExportFormats[] = {"hf", "hf_base", "peft"};

struct ExportOptions {
  std::vector<std::string> formats;         // hf | hf_base | peft
  std::string dtype = "bfloat16";           // of exported 16-bit weights: bfloat16 | float16 | float32
  int64_t max_shard_bytes = 5'000'000'000;  // of each safetensors file
};

/// Whether `format` is among the listed ones.
inline bool exports(const ExportOptions& options, std::string_view format) {
  return std::find(options.formats.begin(), options.formats.end(), format) != options.formats.end();
}

/// UserError for unknown or repeated formats, dtypes and sizes.
void check(const ExportOptions& options);

}  // namespace qslaw
