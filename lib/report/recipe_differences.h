// Where the recipes of several runs differ.
#pragma once
#include <string>
#include <vector>

#include "report/run_folder.h"
#include "report/table.h"

namespace qslaw {

/// The recipe keys whose values are not the same in all runs, `name` and `output` left out: a row per key
/// ("tune.optimizer.lr"; items of lists by their name or number), a column per run. A section or value that a
/// run does without is "none", a section beside that "given"; a list of named items is the names, in the
/// alphabet's order. Keys in a section or item that a run does without, and all keys of a run without a
/// readable recipe, are empty. Long lists of values are shortened.
Table recipe_differences(const std::vector<RunFolder>& runs);

/// In what a section ({"tune", "heldout", "text"}) differs between recipes: "limit (0; 100), path (a; b)". ""
/// where it does not. Recipes that cannot be read or do without the section hold nothing to compare by.
std::string section_differences(const std::vector<std::string>& recipes,
                                const std::vector<std::string>& section);

}  // namespace qslaw
