// Rules between sections of a recipe; rules within one are beside its options struct.
#pragma once
#include "recipe/recipe.h"

namespace qslaw {

/// All checks that need no file: those of every section, the model's, and those between sections. Throws
/// KeyError.
void check(const Recipe& recipe);

}  // namespace qslaw
