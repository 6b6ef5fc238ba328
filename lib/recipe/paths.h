// The files and folders that a recipe names.
#pragma once
#include <string>
#include <vector>

#include "recipe/recipe.h"

namespace qslaw {

/// UserError naming key and path unless everything that these sections ("quantize", "tune", ...) read exists:
/// asked before the first of several stages computes, so that the last one's missing file costs no hours. Of
/// `model` nothing is looked at, which has errors of its own.
void require_paths_exist(const Recipe& recipe, const std::vector<std::string>& sections);

}  // namespace qslaw
