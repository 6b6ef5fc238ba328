// The zip archives that torch.save writes: every record stored as it is, so that tensors can be mapped.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "io/mapped_file.h"

namespace qslaw {

/// Records by name, as bytes of `file`. UserError naming `path` when the archive is damaged or cut, or holds
/// a record that is compressed, encrypted or there twice. Format: PKWARE's APPNOTE, with its zip64 records.
std::map<std::string, std::string_view> read_zip_records(const MappedFile& file,
                                                         const std::filesystem::path& path);

}  // namespace qslaw
