// Sequences that the recipe allows to be longer than those the language model was made for.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"
#include "recipe/recipe.h"

namespace qslaw {

/// Warns of each key of the stages by which a sequence may be longer than usable_positions: nothing fails
/// there, rotary positions being computed, but what the model says beyond them is mostly of no use.
void warn_of_positions(const Recipe& recipe, const std::vector<std::string>& stages,
                       const LanguageConfig& language);

}  // namespace qslaw
