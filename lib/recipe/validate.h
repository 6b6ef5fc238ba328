// A recipe's mistakes, for who wants nothing else of it (and no LibTorch header).
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

/// Throws what read_recipe (recipe.h) throws. Returns the file's bytes, for parse_recipe.
std::string validate_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace qslaw
