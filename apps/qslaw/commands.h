// The commands of the program: one function each.
#pragma once
#include "command_options.h"

namespace qslaw {

/// One stage of the recipe.
void command_stage(const CommandOptions& options, const std::string& stage);
/// Every stage that the recipe has, in order.
void command_run(const CommandOptions& options);
/// The HTML page of one run, or of several side by side.
void command_report(const CommandOptions& options);
/// --dry-run of a stage, or of all ("").
void command_dry_run(const CommandOptions& options, const std::string& stage);

}  // namespace qslaw
