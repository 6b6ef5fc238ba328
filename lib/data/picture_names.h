// The pictures that a data set names, found without encoding a sample.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/options.h"

namespace qslaw {

/// Paths of up to `at_most` of them, evenly spread over the data and sorted: what can be asked of data sets
/// of any size within seconds, before there is a tokenizer. Of llava a sample more or less than `limit` says
/// may be looked at. Empty for text. UserError when the data cannot be read.
std::vector<std::filesystem::path> named_pictures(const DataOptions& options, int64_t at_most);

}  // namespace qslaw
