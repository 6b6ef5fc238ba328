// The files and folders that a recipe names.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "recipe/recipe.h"

namespace qslaw {

/// A file or folder, and the key that names it ("eval.benchmarks.1.path").
struct NamedPath {
  std::string key;
  std::filesystem::path path;
};

/// Those of a section ("model", "quantize", ...) that are set, in the order of its keys.
std::vector<NamedPath> section_paths(const Recipe& recipe, const std::string& section);

/// KeyError naming the path unless everything that these sections ("model", "quantize", ...) read exists, no
/// file is empty, no file stands in a folder's place or the other way round, and a model's folder has a
/// config.json: asked before the first of several stages computes, so that the last one's missing file costs
/// no hours. `model.stages`, which may be folders yet to be made, are not looked at.
void require_paths_exist(const Recipe& recipe, const std::vector<std::string>& sections);

}  // namespace qslaw
